"""An answer while it is written, and the original's finished answers that are kept. Knows no tensors.

The original's answer to a prompt depends on nothing a slider moves, so it is computed once per (weights,
prompt ids, sampling with its seed, candidates) and told again from here, in no time and without a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from imfine.core.events import Candidate, Tokens
from imfine.core.recent import Recent
from imfine.core.recipe import Recipe

FinishReason = Literal["stop", "length", "context", "cancelled"]
KEPT_ANSWERS = 256
KEPT_LOSSES = 4096


@dataclass(eq=False)
class Answer:
    """What one recipe says to one prompt. `texts[i]` is what token i adds, `tops[i]` its likeliest rivals."""

    recipe: Recipe
    prompt_ids: tuple[int, ...]
    ids: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tops: list[list[Candidate]] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    tokens_per_s: float = 0.0
    expected_by_original: float | None = None  # mean log-probability a token, once measured
    weights_after: str | None = None  # the fingerprint of the live weights, taken after the answer
    kept: bool = False  # told again, not computed for this request

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def again(self) -> Answer:
        """The same answer for another request."""
        return replace(self, kept=True)

    def tokens(self, lanes: Iterable[int], start: int = 0) -> list[Tokens]:
        """The events that tell the tokens from `start` on, for each of `lanes`."""
        texts = self.texts[start:]
        ids = self.ids[start : start + len(texts)]  # what is held back for a stop string has no text yet
        return [Tokens(lane, start, ids, texts, self.tops[start:] or None) for lane in lanes]


class KeptAnswers:
    """The original's answers, and the reference losses of recipes (nats a token)."""

    def __init__(self) -> None:
        self.answers: Recent[Answer] = Recent(KEPT_ANSWERS)
        self.losses: Recent[float] = Recent(KEPT_LOSSES)
