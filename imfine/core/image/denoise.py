"""The loop from noise to latents: pictures as rows, a recipe each, one UNet call a step. Knows no events.

Rows with guidance: [without lane 0, without lane 1, …, with lane 0, with lane 1, …]. One scheduler serves all
rows: what it does is done element by element, and what it draws comes from each picture's own generator.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imfine.core.image import schedulers
from imfine.core.image.encode import Text, encode
from imfine.core.image.kept import Encoding
from imfine.core.image.model import ImageModel
from imfine.core.image.sampling import ImageSampling
from imfine.core.recipe import Recipe
from imfine.errors import BrokenNumbers


@dataclass(frozen=True)
class Row:
    """One picture to paint."""

    recipe: Recipe
    prompt: str
    seed: int


class Denoising:
    """`step()` until `done == total`; then `latents` are those of the pictures."""

    def __init__(self, model: ImageModel, rows: Sequence[Row], sampling: ImageSampling) -> None:
        assert sampling.width is not None
        assert sampling.height is not None
        assert sampling.guidance is not None
        self.model, self.rows = model, rows
        self.guidance = sampling.guidance
        self.guided = sampling.guidance > 1
        self.scheduler = schedulers.make(sampling, model.scheduler_config, model.device)
        self.done, self.total = 0, len(self.scheduler.timesteps)
        recipes = [row.recipe for row in rows]
        self._plan = model.equalizer.plan(recipes * 2 if self.guided else recipes)

        texts = [Text(row.recipe, row.prompt) for row in rows]
        if self.guided:
            texts = [Text(row.recipe, sampling.negative, negative=True) for row in rows] + texts
        encodings = encode(model, texts)
        self._words = torch.cat([each.words for each in encodings])  # (B, T, D)
        self._added = _added(model, encodings, sampling.width, sampling.height)

        factor = model.layout.factor
        shape = (model.unet.config.in_channels, sampling.height // factor, sampling.width // factor)
        noise, generators = schedulers.noise([row.seed for row in rows], shape)
        self.latents = (
            noise.to(model.device) * self.scheduler.init_noise_sigma
        )  # float32 whatever the UNet is
        takes = inspect.signature(self.scheduler.step).parameters
        self._extra: dict[str, Any] = {"generator": generators} if "generator" in takes else {}
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(0)

    def step(self, *, preview: bool = False) -> Tensor | None:
        """One UNet call for every row. With `preview`, the estimate of the finished latents (rows, C, h, w).

        Raises:
            BrokenNumbers: what the UNet says is not finite any more.
        """
        t = self.scheduler.timesteps[self.done]
        scaled = self.scheduler.scale_model_input(self.latents, t)
        batch = torch.cat([scaled, scaled]) if self.guided else scaled
        with self.model.equalizer.applied(self._plan):
            output = self.model.unet(
                batch.to(self.model.unet.dtype),
                t,
                encoder_hidden_states=self._words,
                added_cond_kwargs=self._added,
                return_dict=False,
            )[0].float()
        if self.guided:
            without, with_ = output.chunk(2)
            output = without + self.guidance * (with_ - without)
        if not bool(torch.isfinite(output.sum())):
            raise broken(f"after step {self.done + 1} of {self.total} the picture is not finite")
        estimate = schedulers.finished(self.scheduler, output, scaled, t) if preview else None
        self.latents = self.scheduler.step(output, t, self.latents, **self._extra, return_dict=False)[0]
        self.done += 1
        return estimate


def broken(fact: str) -> BrokenNumbers:
    return BrokenNumbers(
        f"{fact}: the recipe broke the model's numbers",
        remedy="bring the gains nearer to 1, or eps nearer to its own value",
        field="recipe",
    )


def _added(
    model: ImageModel, encodings: Sequence[Encoding], width: int, height: int
) -> dict[str, Tensor] | None:
    """SDXL's further conditions: the pooled text, and the size as trained (original, crop, target)."""
    pooled = [each.pooled for each in encodings if each.pooled is not None]
    if not pooled:
        return None
    ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=pooled[0].dtype, device=model.device)
    return {"text_embeds": torch.cat(pooled), "time_ids": ids.repeat(len(encodings), 1)}
