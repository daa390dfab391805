"""One .safetensors file that holds a whole Stable Diffusion, as CivitAI and others hand them out: what it is.

By its header alone, plain Python: 1.x, 2.x and XL are told apart by their text encoders and the width of the
words their UNet reads. Such a file carries no config; ours are in diffusion_configs.py. Reads no weights
(convert_single.py makes a diffusers folder of them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imfine.core.families import layout
from imfine.core.families.layout import tensor_name
from imfine.core.models import diffusion_configs as configs
from imfine.core.models.compvis import CLIP, OPEN_CLIP, UNET, VAE, XL_CLIP, XL_OPEN_CLIP, renamed
from imfine.core.models.weights import MAX_HEADER, TensorInfo, broken, read_with_metadata
from imfine.errors import ModelRefused, UnsupportedArchitecture

PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
CONV_IN = f"{UNET}input_blocks.0.0.weight"
CONFIGS = {"1.x": configs.SD15, "2.x": configs.SD21, "2.x base": configs.SD21_BASE, "XL": configs.SDXL}
BASE_STEPS = 875_000  # what Stable Diffusion 2 base, which predicts the noise, was trained for
ADAPTER = re.compile(r"(^|[._])(lora|dora|hada|lokr|glora|oft)([._]|$)", re.IGNORECASE)
OTHERS = (  # what a name that holds this word tells
    ("joint_blocks.", "a Stable Diffusion 3"),
    ("double_blocks.", "a Flux, or of its kind"),
    ("double_stream_blocks.", "a HiDream"),
    ("control_model.", "a ControlNet, which guides another model"),
    ("controlnet_", "a ControlNet, which guides another model"),
    ("motion_modules.", "a motion module, which animates another model"),
    ("string_to_param", "an embedding (textual inversion), which is a word for another model"),
    ("emb_params", "an embedding (textual inversion), which is a word for another model"),
    ("edm_mean", "a Playground 2.5, whose noise is of another kind than Stable Diffusion XL's"),
)
PIECES = (  # what it is without a UNet in CompVis' names
    (VAE, "a VAE alone, without UNet and text encoder"),
    ("decoder.conv_in.", "a VAE alone, without UNet and text encoder"),
    ("down_blocks.", "one part of a diffusers folder"),
    ("text_model.", "one part of a diffusers folder"),
    ("embeddings.token_embedding.", "one part of a diffusers folder"),
    ("model.layers.", "a language model's weights without their config.json"),
    ("transformer.h.", "a language model's weights without their config.json"),
    ("h.0.", "a language model's weights without their config.json"),
)
CHANNELS = {5: "depth", 7: "enlarging", 8: "redrawing by instructions", 9: "inpainting"}


@dataclass(frozen=True)
class SingleFile:
    """A whole Stable Diffusion in one file."""

    file: Path
    kind: str  # 1.x, 2.x, 2.x base, XL
    config: dict[str, Any]  # of its parts, as `families.layout` reads it
    tensors: dict[str, TensorInfo]  # under the names they will have; see compvis.renamed
    licence: str | None

    @property
    def name(self) -> str:
        v = ", v-prediction" if self.config["scheduler"]["prediction_type"] == "v_prediction" else ""
        return f"{self.file.stem} (Stable Diffusion {self.kind}{v})"


def read_single_file(file: Path) -> SingleFile:
    """What a .safetensors file of a whole model holds.

    Raises: ModelRefused (a pickle, whatever its name), ModelBroken, UnsupportedArchitecture (anything but a
    Stable Diffusion 1.x, 2.x or XL that draws from text alone).
    """
    _refuse_pickle(file)
    tensors, metadata = read_with_metadata(file)
    _refuse_others(file, tensors)
    kind = _kind(file, tensors)
    prediction = _prediction(file, kind, tensors, metadata)
    if kind == "2.x" and prediction == "epsilon":
        kind = "2.x base"
    config = _with_prediction(CONFIGS[kind], prediction, tensors)
    found = renamed(tensors, config)
    _check_parts(file, kind, config, found)
    licence = metadata.get("modelspec.license")
    return SingleFile(file, kind, config, found, licence if isinstance(licence, str) else None)


def _refuse_pickle(file: Path) -> None:
    """By its name, or because it begins as torch's zips and pickles do where a header's length should be."""
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise broken(file, f"it cannot be read ({error})") from error
    no_header = int.from_bytes(head, "little") > MAX_HEADER
    if file.suffix in PICKLES or (no_header and (head[:2] == b"PK" or head[:1] == b"\x80")):
        raise ModelRefused(
            f"{file.name} holds pickled weights, which can run code when they are opened",
            remedy="take the model's .safetensors file; most are offered in both forms",
            field="model",
            value=file.name,
            file=file.name,
        )


def _refuse_others(file: Path, tensors: Mapping[str, TensorInfo]) -> None:
    if not tensors:
        raise broken(file, "it holds no tensor")
    if any(ADAPTER.search(name) for name in tensors):
        raise _other(
            file,
            "an adapter (LoRA): changes to a model, not a model",
            remedy="choose the whole checkpoint that it was made for",
        )
    for word, what in OTHERS:
        if any(word in name for name in tensors):
            raise _other(file, what)
    if CONV_IN in tensors:
        channels = (*tensors[CONV_IN].shape, 0, 0)[1]
        if channels != 4:
            use = f" (for {CHANNELS[channels]})" if channels in CHANNELS else ""
            raise _other(file, f"a Stable Diffusion whose UNet has {channels} input channels{use}")
        return
    for start, what in PIECES:
        if _begins(start, tensors):
            raise _other(
                file,
                what,
                remedy="name the folder that it belongs to (the one with model_index.json or config.json), "
                "or a whole checkpoint",
            )
    raise _other(file, f"no Stable Diffusion: its tensors have names like {min(tensors):.100}")


def _kind(file: Path, tensors: Mapping[str, TensorInfo]) -> str:
    encoders = ((XL_OPEN_CLIP, "XL"), (OPEN_CLIP, "2.x"), (CLIP, "1.x"))
    if _begins("conditioner.embedders.0.model.", tensors):
        raise _other(file, "a Stable Diffusion XL refiner, which finishes another model's pictures")
    kind = next((kind for prefix, kind in encoders if _begins(prefix, tensors)), None)
    if kind is None:
        raise _other(file, "a Stable Diffusion without its text encoder")
    if kind == "XL" and not _begins(XL_CLIP, tensors):
        raise _other(file, "a Stable Diffusion XL without its first text encoder")
    if not _begins(VAE, tensors):
        raise _other(file, "a Stable Diffusion without its VAE", remedy="take the version with the VAE in it")
    words = re.compile(re.escape(UNET) + r"input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight")
    widths = {tensor.shape[-1] for name, tensor in tensors.items() if words.fullmatch(name) and tensor.shape}
    known = CONFIGS[kind]["unet"]["cross_attention_dim"]
    if widths != {known}:
        told = ", ".join(map(str, sorted(widths))) or "no"
        raise _other(
            file, f"a Stable Diffusion that reads words of {told} features where {kind} reads {known}"
        )
    return kind


def _begins(prefix: str, tensors: Mapping[str, TensorInfo]) -> bool:
    return any(name.startswith(prefix) for name in tensors)


def _prediction(file: Path, kind: str, tensors: Mapping[str, TensorInfo], metadata: Mapping[str, Any]) -> str:
    """What its UNet predicts: as the file says of itself, else for 2.x as diffusers infers it, by the steps
    that it was trained for."""
    told = metadata.get("modelspec.prediction_type")
    if "v_pred" in tensors or told == "v":
        return "v_prediction"
    if told == "epsilon" or kind != "2.x":
        return "epsilon"
    steps = tensors.get("global_step")
    if steps is not None and steps.dtype == "I64" and steps.nbytes == 8:
        with file.open("rb") as stream:
            stream.seek(steps.start)
            if int.from_bytes(stream.read(8), "little", signed=True) == BASE_STEPS:
                return "epsilon"
    return "v_prediction"


def _with_prediction(
    config: dict[str, Any], prediction: str, tensors: Mapping[str, TensorInfo]
) -> dict[str, Any]:
    scheduler = {**config["scheduler"], "prediction_type": prediction}
    if "ztsnr" in tensors:  # trained down to noise alone: its steps begin there
        scheduler |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return {**config, "scheduler": scheduler}


def _check_parts(file: Path, kind: str, config: dict[str, Any], found: Mapping[str, TensorInfo]) -> None:
    """Every matrix of the equalizer is there in its size: smaller or larger relatives end here."""
    where = layout(config)
    for band in where.bands:
        for module, weight in band.matrices:
            name = tensor_name(module, found)
            size = sum(segment.size for segment in where.segments[weight])
            if name is None or not found[name].shape or found[name].shape[0] != size:
                has = "no" if name is None else f"{list(found[name].shape)} as"
                raise _other(file, f"not shaped as Stable Diffusion {kind}: it has {has} {module}")


def _other(file: Path, what: str, remedy: str = "") -> UnsupportedArchitecture:
    return UnsupportedArchitecture(
        f"{file.name} is {what}",
        remedy=remedy or "choose a Stable Diffusion 1.x, 2.x or XL that draws from text alone",
        field="model",
        value=file.name,
    )
