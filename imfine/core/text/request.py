"""What a text run asks for: lanes, a prompt, sampling. Plain data; knows no model."""

from __future__ import annotations

from dataclasses import dataclass, field

from imfine.core.lanes import Lane
from imfine.core.sampling import Sampling
from imfine.core.text.prompts import Prompt


@dataclass(frozen=True)
class TextRequest:
    """`top` asks for the likeliest candidates (0–5) of every token."""

    lanes: tuple[Lane, ...]
    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    top: int = 0
