"""Loads a Stable Diffusion folder (diffusers' layout) with progress: UNet, text encoders, VAE, tokenizers.

No network, no pickles, no safety checker, no code of the model's own. Does not yet know single-file
checkpoints, recipes or memory estimates; load.py does not call it yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from imfine.core.bands import band_names
from imfine.core.events import Phase
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.folders import sha256
from imfine.core.models.local import check_links
from imfine.core.models.weights import broken, read_json
from imfine.errors import ModelNotFound, ModelRefused

PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
CLASSES: dict[str, Any] = {
    "UNet2DConditionModel": UNet2DConditionModel,
    "AutoencoderKL": AutoencoderKL,
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}
PARTS = ("text_encoder", "text_encoder_2", "unet", "vae")


@dataclass(frozen=True, eq=False)
class LoadedImageModel:
    """Modules in eval mode, grads off. `checksum`: over the weight files; `fingerprints`: of each part in
    memory when it was loaded."""

    id: str
    path: Path
    dtype: torch.dtype
    device: str
    band_names: tuple[str, ...]
    unet: UNet2DConditionModel
    text_encoders: tuple[nn.Module, ...]
    tokenizers: tuple[CLIPTokenizer, ...]
    vae: AutoencoderKL
    scheduler_config: dict[str, Any]
    checksum: str
    fingerprints: dict[str, str]


def load_folder(
    path: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Iterator[Phase | LoadedImageModel]:
    """Yields a Phase for each part read and the model last.

    Raises: ModelNotFound, ModelRefused, ModelBroken.
    """
    if not (path / "model_index.json").is_file():
        raise ModelNotFound(
            f"{path.name} holds no diffusers model",
            remedy="name a folder with model_index.json",
            field="model",
            value=str(path),
        )
    index = read_json(path / "model_index.json")
    if index.get("_class_name") not in PIPELINES:
        raise ModelRefused(
            f"{path.name} is a {str(index.get('_class_name'))[:100]}, which is not supported",
            remedy=f"choose a {' or '.join(PIPELINES)}",
            field="model",
        )
    check_links(path)
    parts = [part for part in PARTS if _named(index, part)]
    for part in ("text_encoder", "unet", "vae"):
        if part not in parts:
            raise broken(path, f"its model_index.json names no {part}")
    modules: dict[str, Any] = {}
    digests: list[str] = []
    for done, part in enumerate(parts):
        yield Phase("loading", done=done, total=len(parts), unit="parts")
        modules[part] = _read(path, index, part, dtype).to(device)
        digests += [f"{sha256(file)}  {part}/{file.name}\n" for file in _weights(path, part)]
    scheduler = path / "scheduler" / "scheduler_config.json"
    if not scheduler.is_file():
        raise broken(path, "it has no scheduler/scheduler_config.json")
    names = [name for name in ("tokenizer", "tokenizer_2") if _named(index, name)]
    yield LoadedImageModel(
        id=path.name,
        path=path,
        dtype=dtype,
        device=device,
        band_names=band_names(modules["unet"].config),
        unet=modules["unet"],
        text_encoders=tuple(modules[part] for part in parts if part.startswith("text_encoder")),
        tokenizers=tuple(
            CLIPTokenizer.from_pretrained(str(path / name), local_files_only=True) for name in names
        ),
        vae=modules["vae"],
        scheduler_config=read_json(scheduler),
        checksum=hashlib.sha256("".join(digests).encode()).hexdigest(),
        fingerprints={part: fingerprint(module) for part, module in modules.items()},
    )


def _named(index: dict[str, Any], part: str) -> bool:
    value = index.get(part)
    return isinstance(value, list) and len(value) == 2 and value[1] is not None


def _weights(path: Path, part: str) -> list[Path]:
    return sorted((path / part).glob("*.safetensors"))


def _read(path: Path, index: dict[str, Any], part: str, dtype: torch.dtype) -> nn.Module:
    named = index[part][1]
    if named not in CLASSES:
        raise ModelRefused(
            f"{path.name} has a {str(named)[:100]} as {part}, which is not supported",
            remedy=f"choose a model made of {', '.join(CLASSES)}",
            field="model",
        )
    if not (path / part).is_dir():
        raise broken(path, f"it has no folder {part}")
    check_links(path / part)
    if not _weights(path, part):
        raise broken(path, f"{part} has no .safetensors file")
    try:
        module: nn.Module = (
            CLASSES[named].from_pretrained(
                str(path / part), dtype=dtype, local_files_only=True, use_safetensors=True
            )
            if named.startswith("CLIP")
            else CLASSES[named].from_pretrained(
                str(path / part), torch_dtype=dtype, local_files_only=True, use_safetensors=True
            )
        )
    except Exception as error:  # whatever a malformed file makes the libraries raise
        raise broken(path, f"{part} cannot be read: {str(error)[:200]}") from error
    return module.eval().requires_grad_(False)
