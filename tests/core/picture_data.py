"""A data set of small pictures, made on the spot."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from imfine.core.data.rows import Picture


class Pictures:
    """Pictures of noise, every third without a caption. `size`: width and height."""

    kind = "image"

    def __init__(self, folder: Path, count: int = 10, size: tuple[int, int] = (24, 20)) -> None:
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(5)
        self.rows = count
        self._rows = []
        for i in range(count):
            path = folder / f"{i}.png"
            Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8)).save(path)
            self._rows.append(Picture(path, f"thing {i}" if i % 3 else "", *size))
        self.hash = hashlib.sha256(str(folder).encode()).hexdigest()

    def row(self, index: int) -> Picture:
        return self._rows[index]

    def split(self, seed: int, eval_share: float) -> tuple[list[int], list[int]]:
        held_out = int(self.rows * eval_share)
        return list(range(held_out, self.rows)), list(range(held_out))
