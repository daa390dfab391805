"""The model as it is, painted by the project's own loop: no knob is turned. Knows no emoji."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from imfine.core.image.denoise import Denoising, Row
from imfine.core.image.kept import Kept
from imfine.core.image.sampling import ImageSampling
from imfine.core.models.load_image import LoadedImageModel, load_folder
from imfine.core.recipe import Recipe

SAMPLING = ImageSampling(steps=20, guidance=3.0, scheduler="ddim", width=64, height=64)
AT_ONCE = 20  # pictures


class Untouched:
    """In the place of an equalizer."""

    def plan(self, _recipes: Sequence[Any]) -> None:
        return None

    def applied(self, _plan: None) -> nullcontext[None]:
        return nullcontext()


def load(folder: Path) -> Any:
    """The model of a diffusers folder, in fp32."""
    loaded = next(step for step in load_folder(folder) if isinstance(step, LoadedImageModel))
    own = {each.name: getattr(loaded, each.name) for each in fields(loaded)}
    return SimpleNamespace(**own, equalizer=Untouched(), kept=Kept())


@torch.inference_mode()
def paint(model: Any, asked: Sequence[tuple[str, int]]) -> Tensor:
    """Prompts and seeds -> latents (N, C, h, w) as the UNet knows them: scaled, not yet decoded."""
    found = []
    for first in range(0, len(asked), AT_ONCE):
        rows = [Row(Recipe(), prompt, seed) for prompt, seed in asked[first : first + AT_ONCE]]
        work = Denoising(model, rows, SAMPLING)
        while work.done < work.total:
            work.step()
        found.append(work.latents)
    return torch.cat(found)
