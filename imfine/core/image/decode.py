"""Latents to pixels: the VAE decoder under each row's recipe. Knows no loop and no PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from imfine.core.image.denoise import broken
from imfine.core.image.model import ImageModel
from imfine.core.recipe import Recipe


def decode(model: ImageModel, latents: Tensor, recipes: Sequence[Recipe]) -> np.ndarray:
    """(B, C, h, w) -> uint8 (B, H, W, 3), rounded as diffusers' image processor does.

    Raises:
        BrokenNumbers: the picture is not finite.
    """
    plan = model.equalizer.plan(recipes)
    z = unscaled(model, latents).to(model.vae.dtype)
    with model.equalizer.applied(plan):
        x = model.vae.decode(z, return_dict=False)[0].float()
    if not bool(torch.isfinite(x.sum())):
        raise broken("the decoded picture is not finite")
    x = (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)  # (B, 3, H, W) -> (B, H, W, 3)
    pixels: np.ndarray = (x.cpu().numpy() * 255).round().astype("uint8")
    return pixels


def unscaled(model: ImageModel, latents: Tensor) -> Tensor:
    config = model.vae.config
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and std is not None:
        mean_, std_ = (torch.tensor(each).view(1, -1, 1, 1).to(latents) for each in (mean, std))
        return latents * std_ / float(config.scaling_factor) + mean_
    return latents / float(config.scaling_factor)
