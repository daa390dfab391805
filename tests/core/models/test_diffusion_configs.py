"""The configs build the models they name: the published numbers of parameters, and a layout."""

from __future__ import annotations

import json
from typing import Any

import diffusers
import pytest
import torch
import transformers

from imfine.core.families import ImageLayout, layout
from imfine.core.models.diffusion_configs import SD15, SD21, SD21_BASE, SDXL

VAE = 83_653_863
CLIP_L = 123_060_480


@pytest.mark.parametrize(
    ("config", "parameters", "tensors", "pixels", "prediction", "bands"),
    [
        (SD15, (859_520_964, VAE, CLIP_L), 1130, 512, "epsilon", 26),
        (SD21_BASE, (865_910_724, VAE, 340_387_840), 1306, 512, "epsilon", 26),
        (SD21, (865_910_724, VAE, 340_387_840), 1306, 768, "v_prediction", 26),
        (SDXL, (2_567_463_684, VAE, CLIP_L, 694_659_840), 2641, 1024, "epsilon", 20),
    ],
    ids=["1.5", "2.1-base", "2.1", "XL"],
)
def test_a_config_builds_the_published_model(
    config: dict[str, Any],
    parameters: tuple[int, ...],
    tensors: int,
    pixels: int,
    prediction: str,
    bands: int,
) -> None:
    assert json.loads(json.dumps(config)) == config
    modules = []
    with torch.device("meta"):
        for part in ("unet", "vae"):
            modules.append(getattr(diffusers, config[part]["_class_name"]).from_config(config[part]))
        for part in ("text_encoder", "text_encoder_2"):
            if part in config:
                kind = getattr(transformers, config[part]["architectures"][0])
                modules.append(kind(transformers.CLIPTextConfig(**config[part])))
    assert tuple(sum(p.numel() for p in module.parameters()) for module in modules) == parameters
    assert sum(len(module.state_dict()) for module in modules) == tensors
    scheduler = getattr(diffusers, config["scheduler"]["_class_name"]).from_config(config["scheduler"])
    assert scheduler.config.prediction_type == prediction
    where = layout(config)
    assert isinstance(where, ImageLayout)
    assert (where.sample_size, where.prediction, where.layers) == (pixels, prediction, bands)
