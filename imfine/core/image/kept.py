"""What is kept between requests: the original's finished pictures, and texts' encodings. Knows no model.

The original's picture depends on nothing a slider moves, so it is painted once per (weights, prompt,
settings, seed) and told again from here. The least recently used go first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from imfine.core.recent import Recent

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
    """`pictures`: the original's, up to so many bytes. `encodings`: of texts."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.pictures: Recent[Finished] = Recent(most, lambda picture: picture.nbytes)
        self.encodings: Recent[Encoding] = Recent(KEPT_ENCODINGS)
