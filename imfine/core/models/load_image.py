"""Reads a Stable Diffusion folder into memory with progress: UNet, text encoders, VAE, tokenizers.

What may be opened was decided before (local.py): no pickles, no safety checker, no code of the model's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from imfine.core import memory
from imfine.core.equalizer import Equalizer
from imfine.core.events import Event, Phase
from imfine.core.families import ImageLayout
from imfine.core.image.kept import Kept
from imfine.core.models.catalog import Card
from imfine.core.models.checksum import checksum
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.local import Local
from imfine.core.models.module import BUILDING, DTYPES, apply_norm_eps, quiet
from imfine.core.models.pictures import parts_of, tokenizers_of
from imfine.core.models.weights import INDEX, broken, read_json, weight_files
from imfine.settings import Settings
from imfine.settings import settings as default_settings

LARGE = 256  # pixels a side
CLASSES: dict[str, Any] = {
    "UNet2DConditionModel": UNet2DConditionModel,
    "AutoencoderKL": AutoencoderKL,
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}


@dataclass(frozen=True, eq=False)
class LoadedImageModel:
    """An image model in memory, with the equalizer on it. `checksum`: over the weight files; `fingerprints`:
    of each part in memory when it was loaded."""

    id: str
    revision: str
    dtype: str
    device: str
    unet: nn.Module  # a UNet2DConditionModel
    text_encoders: tuple[nn.Module, ...]
    tokenizers: tuple[CLIPTokenizer, ...]
    vae: nn.Module  # an AutoencoderKL
    scheduler_config: dict[str, Any]
    layout: ImageLayout
    equalizer: Equalizer
    checksum: str
    fingerprints: dict[str, str]
    card: Card
    path: Path
    kept: Kept = field(default_factory=Kept)
    settings: Settings = field(default_factory=default_settings)  # where its deltas lie

    @property
    def nbytes(self) -> int:
        """Bytes of its weights and of its deltas in memory."""
        modules: tuple[nn.Module, ...] = (self.unet, *self.text_encoders, self.vae)
        weights = sum(p.nbytes for module in modules for p in (*module.parameters(), *module.buffers()))
        return weights + self.equalizer.delta_bytes

    def compare(self, prompt: str, **asked: Any) -> Iterator[Event]:
        """core.image.generate.compare: the original's and the tuned model's pictures, side by side."""
        from imfine.core.image.generate import compare

        yield from compare(self, prompt, **asked)


def read_pictures(
    card: Card, local: Local, dtype: str, device: str, settings: Settings
) -> Iterator[Phase | LoadedImageModel]:
    """Yields a Phase of bytes for each part, and the model last.

    Raises: ModelBroken.
    """
    layout, folder = local.layout, local.path
    assert isinstance(layout, ImageLayout)
    index = read_json(folder / INDEX)
    sizes = {part: _bytes(folder / part) for part in parts_of(index)}
    modules: dict[str, nn.Module] = {}
    for part, name in ((part, index[part][1]) for part in sizes):
        yield Phase("loading", sum(sizes[each] for each in modules), sum(sizes.values()))
        modules[part] = laid_out(
            read_part(folder / part, CLASSES[name], dtype).to(device), layout.sample_size
        )
    yield Phase("loading", sum(sizes.values()), sum(sizes.values()))
    together = nn.ModuleDict(modules)
    apply_norm_eps(together, layout)
    weights = checksum(folder, settings.home)
    encoders = tuple(modules[part] for part in sizes if part.startswith("text_encoder"))
    yield LoadedImageModel(
        id=card.id,
        revision=card.revision or weights[:12],
        dtype=dtype,
        device=device,
        unet=modules["unet"],
        text_encoders=encoders,
        tokenizers=read_tokenizers(folder),
        vae=modules["vae"],
        scheduler_config=local.config["scheduler"],
        layout=layout,
        equalizer=Equalizer(together, layout),
        checksum=weights,
        fingerprints={part: fingerprint(module) for part, module in modules.items()},
        card=replace(card, dtype=dtype, memory_needed=memory.needed(local.parameters, layout, dtype)),
        path=folder,
        settings=settings,
    )


def laid_out(module: nn.Module, pixels: int) -> nn.Module:
    """A UNet or VAE with its weights as convolutions of large pictures want them, quicker
    there (bench.image). A UNet of small ones (`pixels` a side) stays as it is, or it would be slower."""
    small = isinstance(module, UNet2DConditionModel) and pixels < LARGE
    return module if small else module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def read_tokenizers(folder: Path) -> tuple[CLIPTokenizer, ...]:
    """Of an image model's folder, one for each text encoder."""
    return tuple(
        CLIPTokenizer.from_pretrained(str(each), local_files_only=True)
        for each in tokenizers_of(folder, read_json(folder / INDEX))
    )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in weight_files(folder))


def read_part(folder: Path, kind: Any, dtype: str) -> nn.Module:
    """One part, in eval mode and without gradients. Raises: ModelBroken."""
    variant = "fp16" if any(".fp16." in file.name for file in weight_files(folder)) else None
    named = {"dtype" if kind.__name__.startswith("CLIP") else "torch_dtype": DTYPES[dtype]}
    try:
        with BUILDING, quiet():
            module: nn.Module = kind.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, variant=variant, **named
            )
    except Exception as error:  # whatever a malformed file makes the libraries raise
        raise broken(folder, f"it cannot be read: {str(error)[:200]}") from error
    return module.eval().requires_grad_(False)
