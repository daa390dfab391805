"""How much memory the training of a picture model takes, told from its configs. Knows no data, no machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imfine.core import memory
from imfine.core.families import ImageLayout, layout
from imfine.core.models.load_image import CLASSES
from imfine.core.models.local import Local
from imfine.core.models.module import DTYPES
from imfine.core.models.pictures import CLASSES as NAMES
from imfine.core.train.held import held
from imfine.core.train.pictures.learner import PictureLearner, made_ready
from imfine.core.train.plan import Plan
from imfine.core.train.room import bare


def picture_activations(config: Mapping[str, Any], where: ImageLayout, plan: Plan) -> int:
    """What autograd keeps of UNet and text encoders from forward to backward, as much of every picture."""
    one = replace(bare(plan), batch=1, prior=None, resolution=plan.pixels(where))
    rows = plan.batch * (2 if plan.prior else 1)
    return rows * _kept(json.dumps(config, sort_keys=True), one)


def picture_working(where: ImageLayout, plan: Plan) -> int:
    """What a moment holds beside it: the widest activation and its gradient, or a sample that is drawn."""
    side = plan.pixels(where)
    rows = plan.batch * (2 if plan.prior else 1)
    widest = 4 * rows * (side // where.factor) ** 2 * where.unet_width * 12
    drawn = memory.painting(where, "float32", 4, side, side)
    return max(widest, drawn)


def picture_parts(config: Mapping[str, Any], dtype: torch.dtype, *, with_vae: bool) -> nn.ModuleDict:
    """UNet, text encoders and VAE of these configs, on the device of the caller's context."""
    parts: dict[str, nn.Module] = {}
    for part, (name, *_) in NAMES.items():
        if part not in config or (part == "vae" and not with_vae):
            continue
        kind, asked = CLASSES[name], dict(config[part])
        if name.startswith("CLIP"):
            plain = {key: value for key, value in asked.items() if key not in ("architectures", "dtype")}
            parts[part] = kind._from_config(kind.config_class(**plain), dtype=dtype)
        else:
            parts[part] = nn.Module.to(kind.from_config(asked), dtype)  # diffusers' own warns of nothing
    return nn.ModuleDict(parts)


@lru_cache(maxsize=64)
def _kept(asked: str, plan: Plan) -> int:
    config = json.loads(asked)
    where = layout(config)
    assert isinstance(where, ImageLayout)
    local = Local(Path(), config, where, None, 0, 0, None, {})
    with torch.device("meta"):
        learner = made_ready(
            picture_parts(config, DTYPES[plan.dtype], with_vae=False), None, local, plan, read=False
        )
    side = plan.pixels(where) // where.factor
    shape = (1, where.latent_channels, side, side)
    ids = (1, len(learner.encoders), where.window)
    return held(
        _Predicting(learner),
        lambda: (
            torch.zeros(shape),
            torch.zeros(1, dtype=torch.long),
            torch.zeros(ids, dtype=torch.long),
        ),
    )


class _Predicting(nn.Module):
    """The learner without its noising, whose timesteps index a table."""

    def __init__(self, learner: PictureLearner) -> None:
        super().__init__()
        self.learner = learner
        learner.captions = None  # there are no numbers to know one by

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return self.learner.predict(noisy, timesteps, ids)
