"""What the loop asks of what is learned, whatever it is: text here, pictures in pictures/lesson.py.

Rows come in packs (sequences); the learner turns the tensors of a batch into a summed loss. Knows no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch

from imfine.core.train.events import Sample
from imfine.core.train.learner import Learner
from imfine.core.train.packing import Pack, batch_of
from imfine.core.train.tokens import Tokens


class Lesson(Protocol):
    """`lengths`: what each row counts in a sequence; 0 leaves it out."""

    lengths: Sequence[int]

    def batch(self, packs: Sequence[Pack], step: int, at: int) -> tuple[torch.Tensor, ...]:
        """The learner's arguments for sequences `at`, `at + 1`, … of step `step`; the same each time."""

    def fixed(self, packs: Sequence[Pack]) -> tuple[torch.Tensor, ...]:
        """The learner's arguments for held-out sequences; the same at every step."""

    def count(self, packs: Sequence[Pack]) -> int:
        """What the learner's sum is divided by to be a mean."""

    def read(self, packs: Sequence[Pack]) -> int:
        """Tokens, padding left out; or pictures."""

    def samples(self, step: int) -> Iterator[Sample]:
        """What the learner makes of the plan's prompts."""


class TextLesson:
    def __init__(self, learner: Learner, tokenizer: Any, tokens: Tokens) -> None:
        self.learner, self.tokenizer, self.tokens = learner, tokenizer, tokens
        self.lengths: Sequence[int] = tokens.lengths

    def batch(self, packs: Sequence[Pack], step: int, at: int) -> tuple[torch.Tensor, ...]:
        return self.fixed(packs)

    def fixed(self, packs: Sequence[Pack]) -> tuple[torch.Tensor, ...]:
        found = batch_of(self.tokens, packs)
        return found.ids, found.positions, found.labels

    def count(self, packs: Sequence[Pack]) -> int:
        return sum(self.tokens.counts[row] for rows in packs for row in rows)

    def read(self, packs: Sequence[Pack]) -> int:
        return sum(self.lengths[row] for rows in packs for row in rows)

    def samples(self, step: int) -> Iterator[Sample]:
        from imfine.core.train.evaluate import answers

        return answers(self.learner, self.tokenizer, step=step)
