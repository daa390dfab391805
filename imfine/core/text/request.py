"""What a text run asks for: lanes, a prompt, sampling. Plain data; knows no model."""

from __future__ import annotations

from dataclasses import dataclass, field

from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.prompts import Prompt

MAX_LANES = 32


@dataclass(frozen=True)
class Lane:
    """One answer: a recipe, and a prompt of its own where it is not the request's."""

    name: str
    recipe: Recipe = field(default_factory=Recipe)
    prompt: Prompt | None = None


@dataclass(frozen=True)
class TextRequest:
    """`top` asks for the likeliest candidates (0–5) of every token."""

    lanes: tuple[Lane, ...]
    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    top: int = 0
