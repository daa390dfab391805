"""What frozen text encoders say of a caption, kept: the same at every step. Knows no encoder.

Each caption is read alone, so that its numbers follow from it and not from the batch that it came in first: a
run that goes on from a checkpoint reads what it would have read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

KEPT = 128_000_000  # bytes at most; what comes later is read each time

Words = tuple[torch.Tensor, torch.Tensor | None]  # (B, T, D), and pooled (B, P) where an encoder has it


class Captions:
    """`read`: token ids (1, E, T) to Words."""

    def __init__(self, read: Callable[[torch.Tensor], Words]) -> None:
        self._read = read
        self._kept: dict[bytes, Words] = {}
        self._bytes = 0

    def __call__(self, ids: torch.Tensor) -> Words:
        """(B, E, T) -> Words"""
        words, pooled = zip(*(self._of(each[None]) for each in ids), strict=True)
        return torch.cat(words), None if pooled[0] is None else torch.cat(pooled)

    def _of(self, ids: torch.Tensor) -> Words:
        key = ids.cpu().numpy().tobytes()
        if key in self._kept:
            return self._kept[key]
        with torch.no_grad():
            found = self._read(ids)
        size = sum(each.nbytes for each in found if each is not None)
        if self._bytes + size <= KEPT:
            self._kept[key] = found
            self._bytes += size
        return found
