"""An answer while it is written, and the original's finished answers that are kept. Knows no tensors.

The original's answer to a prompt depends on nothing a slider moves, so it is computed once per (weights,
prompt ids, sampling with its seed, candidates) and told again from here, in no time and without a row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from imfine.core.events import Candidate, Tokens
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
    """The original's answers and the reference losses of recipes, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._losses: OrderedDict[Hashable, float] = OrderedDict()

    def find(self, key: Hashable) -> Answer | None:
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def keep(self, key: Hashable, answer: Answer) -> None:
        self._answers[key] = answer
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def loss(self, key: Hashable) -> float | None:
        if key in self._losses:
            self._losses.move_to_end(key)
        return self._losses.get(key)

    def keep_loss(self, key: Hashable, loss: float) -> None:
        self._losses[key] = loss
        if len(self._losses) > KEPT_LOSSES:
            self._losses.popitem(last=False)
