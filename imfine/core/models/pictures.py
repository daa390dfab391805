"""A Stable Diffusion folder in diffusers' layout: its parts, and their configs together. Plain Python.

model_index.json   names the pipeline and the class of each part
unet/ vae/ text_encoder/ [text_encoder_2/]   config.json and .safetensors, in one file or in shards
tokenizer/ [tokenizer_2/] scheduler/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imfine.core.models.weights import INDEX, PARTS, broken, read_json, weight_files
from imfine.errors import ModelRefused

CLASSES = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL",),
    "text_encoder": ("CLIPTextModel",),
    "text_encoder_2": ("CLIPTextModelWithProjection",),
}
TOKENIZERS = ("tokenizer", "tokenizer_2")
SCHEDULER = "scheduler/scheduler_config.json"


def is_picture_model(folder: Path) -> bool:
    return (folder / INDEX).is_file()


def parts_of(index: dict[str, Any], of: tuple[str, ...] = PARTS) -> tuple[str, ...]:
    """Those that a model_index.json names: it gives an absent one as [null, null]."""
    named = (part for part in of if isinstance(index.get(part), list))
    return tuple(part for part in named if len(index[part]) == 2 and index[part][1] is not None)


def read_configs(folder: Path) -> dict[str, Any]:
    """What `families.layout` reads: {"_class_name": …, "unet": {…}, "vae": {…}, …, "scheduler": {…}}.

    Raises: ModelBroken, ModelRefused (a part of another class, e.g. code of its own).
    """
    index = read_json(folder / INDEX)
    configs: dict[str, Any] = {"_class_name": index.get("_class_name")}
    for part in parts_of(index):
        named = index[part][1]
        if named not in CLASSES[part]:
            raise ModelRefused(
                f"{folder.name} has a {str(named)[:100]} as {part}, which is not supported",
                remedy=f"choose a model whose {part} is a {' or '.join(CLASSES[part])}",
                field="model",
                value=str(named)[:100],
            )
        configs[part] = read_json(folder / part / "config.json")
    if not (folder / SCHEDULER).is_file():
        raise broken(folder, f"it has no {SCHEDULER}")
    configs["scheduler"] = read_json(folder / SCHEDULER)
    if configs["_class_name"] == "StableDiffusionPipeline":  # which sets these two, whatever old configs say
        configs["scheduler"] |= {"clip_sample": False, "steps_offset": 1}
    return configs


def tokenizers_of(folder: Path, index: dict[str, Any]) -> tuple[Path, ...]:
    return tuple(folder / name for name in parts_of(index, TOKENIZERS))


def is_whole_picture_model(folder: Path) -> bool:
    """Every part's weights and config are here (a cancelled download leaves some of them)."""
    index = read_json(folder / INDEX)
    needed = [folder / SCHEDULER]
    for part in parts_of(index):
        files = weight_files(folder / part) if (folder / part).is_dir() else []
        if not files:
            return False
        needed += [folder / part / "config.json", *files]
    return all(file.exists() for file in needed) and all(
        any(tokenizer.glob("*.json")) for tokenizer in tokenizers_of(folder, index)
    )
