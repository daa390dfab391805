"""Pictures as the UNet learns them: cut square, encoded by the VAE once, kept on the disk.

What is kept is the encoder's mean and deviation, so that every step draws latents as diffusers does. No
picture is turned or mirrored. The folder is whole or not there. Knows no order, no UNet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from imfine.core import memory
from imfine.core.events import Phase
from imfine.core.models.folders import staged
from imfine.core.train.data import Data


class Latents:
    """`captions[i]` of row i. `moments(i)`: mean and deviation of its latents, (2, C, h, w)."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text("utf-8"))
        self.captions: list[str] = about["captions"]
        self._moments = np.memmap(folder / "moments", np.float32, "r").reshape(
            len(self.captions), *about["shape"]
        )

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, h, w)"""
        _, _, channels, height, width = self._moments.shape
        return channels, height, width

    def moments(self, row: int) -> torch.Tensor:
        return torch.from_numpy(self._moments[row].copy())


@torch.no_grad()
def write_latents(folder: Path, data: Data, vae: Any, pixels: int, **made_from: object) -> Iterator[Phase]:
    """Encodes every row into `folder`; nothing to do where it was `made_from` the same already.

    `vae`: an AutoencoderKL in float32.
    """
    key = hashlib.sha256(json.dumps([data.rows, pixels, made_from], sort_keys=True).encode()).hexdigest()
    if (folder / "key").exists() and (folder / "key").read_text() == key:
        return
    captions: list[str] = []
    shape: tuple[int, ...] = ()
    device = next(vae.parameters()).device
    size = min(16, memory.decoded_at_once(pixels, pixels))
    with staged(folder) as stage:
        with (stage / "moments").open("wb") as out:
            for first in range(0, data.rows, size):
                yield Phase("loading", first, data.rows, "parts")
                rows = [data.row(i) for i in range(first, min(first + size, data.rows))]
                captions += [row.caption for row in rows]
                batch = torch.stack([as_tensor(row.path, pixels) for row in rows]).to(device)  # (B, 3, H, W)
                found = vae.encode(batch).latent_dist
                both = torch.stack([found.mean, found.std], 1).float().cpu()  # (B, 2, C, h, w)
                shape = tuple(both.shape[1:])
                out.write(both.contiguous().numpy().tobytes())
        about = {"captions": captions, "shape": shape}
        (stage / "about.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")
        (stage / "key").write_text(key)
    yield Phase("loading", data.rows, data.rows, "parts")


def as_tensor(path: Path, pixels: int) -> torch.Tensor:
    """The middle of a picture as a square, turned as its EXIF says, on white where it is transparent.

    (3, pixels, pixels), −1 to 1.
    """
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    ground = Image.new("RGBA", upright.size, "white")
    ground.alpha_composite(upright)
    square = ImageOps.fit(ground.convert("RGB"), (pixels, pixels), Image.Resampling.LANCZOS)
    found = torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    return found.float() / 127.5 - 1
