"""The model as it is, painted by the project's own loop: no knob is turned. Knows no emoji."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from imfine.core.image.denoise import Denoising, Row
from imfine.core.image.sampling import ImageSampling
from imfine.core.models import load as models
from imfine.core.models.load_image import LoadedImageModel
from imfine.core.recipe import Recipe

SAMPLING = ImageSampling(steps=20, guidance=3.0, scheduler="ddim", width=64, height=64)
AT_ONCE = 20  # pictures


def load(folder: Path) -> LoadedImageModel:
    """The model of a diffusers folder, in fp32."""
    return next(
        step for step in models.load(str(folder), dtype="float32") if isinstance(step, LoadedImageModel)
    )


@torch.inference_mode()
def paint(model: LoadedImageModel, asked: Sequence[tuple[str, int]]) -> Tensor:
    """Prompts and seeds -> latents (N, C, h, w) as the UNet knows them: scaled, not yet decoded."""
    found = []
    for first in range(0, len(asked), AT_ONCE):
        rows = [Row(Recipe(), prompt, seed) for prompt, seed in asked[first : first + AT_ONCE]]
        work = Denoising(model, rows, SAMPLING)
        while work.done < work.total:
            work.step()
        found.append(work.latents)
    return torch.cat(found)
