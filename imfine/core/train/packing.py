"""Several examples in one sequence: which ones share it, and the tensors of a batch. Knows no model.

A sequence's positions start again at 0 with every example. transformers makes of that a mask that is
block-diagonal and causal: no example sees its neighbours, as a test holds for every family.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from imfine.core.train.tokens import Tokens

BLOCK = 512  # examples that are packed together: more fill sequences better and mix the data less
IGNORED = -100  # a position without a target

Pack = tuple[int, ...]  # the rows that share one sequence


def pack(lengths: Sequence[int], order: Sequence[int], room: int) -> list[Pack]:
    """The rows of `order` in sequences of at most `room` tokens, block by block.

    Within a block the longest first, each where it leaves the least room (best fit decreasing). The emptiest
    sequence of a block goes on into the next.
    """
    packs: list[Pack] = []
    carried: list[int] = []
    for start in range(0, len(order), BLOCK):
        block = carried + list(order[start : start + BLOCK])
        found = _best_fit(lengths, block, room)
        last = start + BLOCK >= len(order)
        carried = [] if last else list(found.pop(max(range(len(found)), key=lambda i: found[i][0]))[1])
        packs += [tuple(rows) for _, rows in found]
    return packs


def _best_fit(lengths: Sequence[int], block: list[int], room: int) -> list[tuple[int, list[int]]]:
    """(room left, rows) of each sequence, in the order in which their first rows stand in the block."""
    place = {row: i for i, row in enumerate(block)}
    open_: list[tuple[int, int]] = []  # (room left, sequence), by room
    rows_of: list[list[int]] = []
    left: list[int] = []
    for row in sorted(block, key=lambda row: (-lengths[row], place[row])):
        size = lengths[row]
        at = bisect_left(open_, (size, -1))
        if at == len(open_):
            each, before = len(rows_of), room
            rows_of.append([])
            left.append(room)
        else:
            before, each = open_.pop(at)
        rows_of[each].append(row)
        left[each] = before - size
        insort(open_, (left[each], each))
    return sorted(zip(left, rows_of, strict=True), key=lambda found: min(place[row] for row in found[1]))


@dataclass(frozen=True)
class Batch:
    """All (B, L). `labels[b, t]` is the token that follows position t, or IGNORED."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    tokens: int  # padding left out

    def to(self, device: torch.device) -> Batch:
        return Batch(self.ids.to(device), self.positions.to(device), self.labels.to(device), self.tokens)


def batch_of(tokens: Tokens, packs: Sequence[Pack]) -> Batch:
    """One sequence for each pack, padded on the right to the longest."""
    sizes = [sum(tokens.lengths[row] for row in rows) for rows in packs]
    shape = (len(packs), max(sizes))
    ids = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED, dtype=torch.long)
    # One example a sequence: padding counts on, so that positions alone ask for no mask but the causal one.
    alone = all(len(rows) == 1 for rows in packs)
    positions = torch.arange(shape[1]).repeat(shape[0], 1) if alone else torch.zeros(shape, dtype=torch.long)
    for b, rows in enumerate(packs):
        at = 0
        for row in rows:
            words, trained = tokens.example(row)  # (T), (T)
            end = at + len(words)
            ids[b, at:end] = words
            positions[b, at:end] = torch.arange(len(words))
            labels[b, at : end - 1] = torch.where(trained[1:], words[1:], IGNORED)
            at = end
        ids[b, at:] = ids[b, at - 1]  # padding, which nothing sees: not a word that transformers warns of
    return Batch(ids, positions, labels, sum(sizes))
