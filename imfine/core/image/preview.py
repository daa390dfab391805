"""A small picture straight from the latents: each latent becomes one pixel by a linear map. Knows no loop.

For the VAEs of SD 1.x/2.x and SDXL the community's factors are known (ComfyUI's latent formats). For any
other the map is fitted once to what its own decoder makes of smooth random latents.
"""

from __future__ import annotations

import base64
import io
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from imfine.core.image.decode import unscaled
from imfine.core.image.model import ImageModel

FULL = [128, 256, 512, 512]  # channels of the VAEs whose factors are known
SD = ((0.3512, 0.2297, 0.3227), (0.325, 0.4974, 0.235), (-0.2829, 0.1762, 0.2721), (-0.212, -0.2616, -0.7177))
SDXL = (
    (0.3651, 0.4232, 0.4341),
    (-0.2533, -0.0042, 0.1068),
    (0.1076, 0.1111, -0.0362),
    (-0.3165, -0.2492, -0.2188),
)
KNOWN = {  # scaling factor -> RGB of each latent channel, and of none
    0.18215: (SD, (0.0, 0.0, 0.0)),
    0.13025: (SDXL, (0.1084, -0.0175, -0.0011)),
}
SAMPLES, SIDE, COARSE = 24, 8, 3  # latents to fit by: as many squares of this side, smooth
PNG_UP_TO = 48 * 48  # pixels; larger previews are WebP, which is smaller but slower to begin

Map = tuple[Tensor, Tensor]  # (C, 3), (3,): colours from −1 to 1
_maps: WeakKeyDictionary[nn.Module, Map] = WeakKeyDictionary()


def colour_map(model: ImageModel) -> Map:
    """The model's map, fitted the first time it is asked for."""
    vae: nn.Module = model.vae
    if vae not in _maps:
        config = model.vae.config
        known = KNOWN.get(config.scaling_factor) if list(config.block_out_channels) == FULL else None
        _maps[vae] = (torch.tensor(known[0]), torch.tensor(known[1])) if known else _fitted(model)
    return _maps[vae]


def preview(latents: Tensor, colours: Map) -> tuple[Literal["image/png", "image/webp"], str]:
    """Latents (C, h, w) -> mime and base64 of a picture of w × h pixels."""
    factors, ground = colours
    rgb = torch.einsum("chw,cr->hwr", latents.float().cpu(), factors) + ground
    pixels: np.ndarray = ((rgb + 1) * 127.5).clamp(0, 255).to(torch.uint8).numpy()
    out = io.BytesIO()
    small = pixels.shape[0] * pixels.shape[1] <= PNG_UP_TO
    if small:
        Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    else:
        Image.fromarray(pixels).save(out, "WEBP", quality=75, method=0)
    return "image/png" if small else "image/webp", base64.b64encode(out.getvalue()).decode()


@torch.inference_mode()
def _fitted(model: ImageModel) -> Map:
    """Least squares from latents to what the decoder shows at the same place."""
    generator = torch.Generator().manual_seed(0)
    channels = model.vae.config.latent_channels
    coarse = torch.randn((SAMPLES, channels, COARSE, COARSE), generator=generator)
    z = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear", align_corners=True)
    z = (z * 1.3).to(model.device)  # what smoothing took of the spread
    shown = model.vae.decode(unscaled(model, z).to(model.vae.dtype), return_dict=False)[0].float()
    rgb = nn.functional.adaptive_avg_pool2d(shown.clamp(-1, 1), SIDE)
    x = z.permute(0, 2, 3, 1).reshape(-1, channels).double().cpu()
    y = rgb.permute(0, 2, 3, 1).reshape(-1, 3).double().cpu()
    x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    solved = torch.linalg.lstsq(x, y).solution.float()
    return solved[:-1], solved[-1]
