"""Which rows are read in which step: a function of plan, seed and step alone. Knows lengths, no words.

An epoch is all rows in a new order. Steps take sequences from one epoch after the other without a seam, so
the place in the data is the number of the step, and a run that is resumed reads what it would have read.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

from imfine.core.train.packing import Pack, pack


class Feed:
    """`rows` are read, `per_step` sequences of at most `room` tokens in every step."""

    def __init__(
        self,
        lengths: Sequence[int],
        rows: Iterable[int],
        *,
        room: int,
        packing: bool,
        per_step: int,
        seed: int,
    ) -> None:
        self._lengths = lengths
        self._rows = [int(row) for row in rows if lengths[row]]
        self._room, self._packing, self._seed = room, packing, seed
        self.per_step = per_step
        self._epochs: dict[int, list[Pack]] = {}  # the two that a step can touch
        self._starts = [0]  # the first sequence of each epoch, counted from the first of all
        assert self._rows, "no row to learn from"

    def steps(self, epochs: float) -> int:
        """Of so many epochs, counted by the first one's sequences."""
        return max(1, math.ceil(epochs * len(self._epoch(0)) / self.per_step))

    @property
    def tokens_per_step(self) -> float:
        """In the mean, padding left out."""
        return sum(self._lengths[row] for row in self._rows) * self.per_step / len(self._epoch(0))

    def step(self, step: int) -> list[Pack]:
        """The sequences of step `step` (0 is the first), the longest first, so that neighbours pad little."""
        first = step * self.per_step
        packs = [self._at(i) for i in range(first, first + self.per_step)]
        return sorted(packs, key=lambda rows: -sum(self._lengths[row] for row in rows))

    def epoch_after(self, step: int) -> float:
        """How many epochs are read when `step` steps are done."""
        last = step * self.per_step - 1
        epoch = self._epoch_of(last)
        return epoch + (last + 1 - self._starts[epoch]) / len(self._epoch(epoch))

    def _at(self, index: int) -> Pack:
        epoch = self._epoch_of(index)
        return self._epoch(epoch)[index - self._starts[epoch]]

    def _epoch_of(self, index: int) -> int:
        while self._starts[-1] <= index:
            self._starts.append(self._starts[-1] + len(self._epoch(len(self._starts) - 1)))
        epoch = len(self._starts) - 1
        while self._starts[epoch] > index:
            epoch -= 1
        return epoch

    def _epoch(self, epoch: int) -> list[Pack]:
        if epoch not in self._epochs:
            self._epochs = {each: packs for each, packs in self._epochs.items() if each == epoch - 1}
            order = list(self._rows)
            rng = random.Random(f"{self._seed} {epoch}")  # noqa: S311 - the order of data, no secret
            rng.shuffle(order)
            if self._packing:
                packs = pack(self._lengths, order, self._room)
                rng.shuffle(packs)  # the longest stand alone at the end otherwise
            else:
                packs = [(row,) for row in order]
            self._epochs[epoch] = packs
        return self._epochs[epoch]
