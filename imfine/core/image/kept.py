"""What is kept between requests: the original's finished pictures, and texts' encodings. Knows no model.

The original's picture depends on nothing a slider moves, so it is painted once per (weights, prompt,
settings, seed) and told again from here. The least recently used go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import torch

KEPT_BYTES = 128 * 2**20  # of pictures: 160 of 512 × 512
KEPT_ENCODINGS = 64


@dataclass(frozen=True, eq=False)
class Finished:
    """A picture: its pixels, and the PNG that carries them."""

    index: int
    seed: int
    pixels: np.ndarray = field(repr=False)  # uint8 (H, W, 3)
    png: bytes = field(repr=False)
    sha256: str
    fingerprint: str | None = None  # of the live weights, after an original's picture

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + len(self.png)


@dataclass(frozen=True, eq=False)
class Encoding:
    """A text as the UNet reads it: `words` (1, T, D), and SDXL's `pooled` (1, P)."""

    words: torch.Tensor
    pooled: torch.Tensor | None = None


class Kept:
    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._pictures: OrderedDict[Hashable, Finished] = OrderedDict()
        self._encodings: OrderedDict[Hashable, Encoding] = OrderedDict()

    def picture(self, key: Hashable) -> Finished | None:
        if key in self._pictures:
            self._pictures.move_to_end(key)
        return self._pictures.get(key)

    def keep_picture(self, key: Hashable, picture: Finished) -> None:
        if (before := self._pictures.pop(key, None)) is not None:
            self._bytes -= before.nbytes
        self._pictures[key] = picture
        self._bytes += picture.nbytes
        while self._bytes > self._most:
            self._bytes -= self._pictures.popitem(last=False)[1].nbytes

    def encoding(self, key: Hashable) -> Encoding | None:
        if key in self._encodings:
            self._encodings.move_to_end(key)
        return self._encodings.get(key)

    def keep_encoding(self, key: Hashable, encoding: Encoding) -> None:
        self._encodings[key] = encoding
        if len(self._encodings) > KEPT_ENCODINGS:
            self._encodings.popitem(last=False)
