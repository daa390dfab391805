"""Models of the real shapes with random weights: nothing to fetch, no answer worth reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from imfine.core.equalizer import Equalizer
from imfine.core.families import ImageLayout, layout
from imfine.core.models.catalog import find
from imfine.core.models.diffusion_configs import SD15
from imfine.core.models.known import KNOWN
from imfine.core.models.load_image import LoadedImageModel, laid_out
from imfine.settings import settings

STARTERS = Path(__file__).parents[1] / "starters"


def filled(module: nn.Module) -> nn.Module:
    """Off the meta device, with small random weights."""
    module = module.to(torch.bfloat16).to_empty(device="cpu").eval().requires_grad_(False)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point():
            tensor.fill_(1.0) if "norm" in name and name.endswith("weight") else tensor.uniform_(-0.02, 0.02)
        else:
            tensor.copy_(torch.arange(tensor.numel()).view(tensor.shape))
    return module


def begun(module: nn.Module) -> nn.Module:
    """Off the meta device, with the random weights that training begins with."""
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    torch.manual_seed(0)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    for tensor in module.buffers():
        tensor.copy_(torch.arange(tensor.numel()).view(tensor.shape))  # of the text encoder: positions
    return module


def drawing_sd15() -> LoadedImageModel:
    """Stable Diffusion 1.5 in float32, whose pictures are colourful patterns and no mere grey."""
    return sd15(begun)


def sd15(given: Callable[[nn.Module], nn.Module] = filled) -> LoadedImageModel:
    """Stable Diffusion 1.5, with the vocabulary of emoji-diffusion."""
    where = layout(SD15)
    assert isinstance(where, ImageLayout)
    with torch.device("meta"):
        empty = {
            "unet": UNet2DConditionModel.from_config(SD15["unet"]),
            "vae": AutoencoderKL.from_config(SD15["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**SD15["text_encoder"])),
        }
    parts = nn.ModuleDict(
        {part: laid_out(given(module), where.sample_size) for part, module in empty.items()}
    )
    known = next(each for each in KNOWN if each.config is SD15)
    assert sum(p.numel() for p in parts.parameters()) == known.parameters
    return LoadedImageModel(
        **shared(where, parts),
        dtype=str(parts["unet"].dtype).removeprefix("torch."),
        unet=parts["unet"],
        vae=parts["vae"],
        text_encoders=(parts["text_encoder"],),
        tokenizers=(CLIPTokenizer.from_pretrained(str(STARTERS / "emoji-diffusion" / "tokenizer")),),
        scheduler_config=SD15["scheduler"],
        fingerprints={},
    )


def shared(where: Any, module: nn.Module) -> dict[str, Any]:
    card = find("emoji-diffusion" if where.kind == "image" else "gpt2-classics", settings(), any_folder=True)
    equalizer = Equalizer(module, where)
    return {
        "id": "random",
        "revision": "none",
        "device": "cpu",
        "layout": where,
        "equalizer": equalizer,
        "checksum": "",
        "card": card,
        "path": STARTERS,
    }
