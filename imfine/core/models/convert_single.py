"""A whole Stable Diffusion in one file becomes a diffusers folder, byte by byte: no tensor is changed.

Every tensor keeps its dtype; most are copied as they lie (compvis.py says where), one is turned round. Names
and shapes are held to those of the modules that diffusers and transformers make of the configs. Does not know
where folders are kept, nor when one is made (load.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import diffusers
import numpy as np
import torch
import transformers

from imfine.core.events import Phase
from imfine.core.models.clip_tokenizer import END, save_tokenizer
from imfine.core.models.compvis import TURNED
from imfine.core.models.folders import sync
from imfine.core.models.pictures import CLASSES, SCHEDULER
from imfine.core.models.single_file import SingleFile
from imfine.core.models.weights import INDEX, ITEM_BYTES, TensorInfo, broken

EVERY_S = 0.05  # between two reports of progress
CHUNK = 1 << 24  # bytes copied at a time
FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
ENCODERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
OPEN_CLIP_PAD = "!"  # id 0, with which OpenCLIP fills up; OpenAI's CLIP takes the end


def convert_single(single: SingleFile, tokenizer: Path, folder: Path) -> Iterator[Phase]:
    """Writes `single` as a diffusers folder into `folder`, with the tokenizer of the folder `tokenizer`.

    Yields bytes written. Raises: ModelBroken (tensors missing, of other shapes, or no floats).
    """
    parts = [part for part in CLASSES if part in single.config]
    for part in parts:
        _check(single, part)
    yield from _write(single, parts, folder)
    for part in parts:
        _save(folder / part / "config.json", single.config[part])
    scheduler = folder / SCHEDULER
    scheduler.parent.mkdir()
    _save(scheduler, single.config["scheduler"])
    for encoder, name in ENCODERS.items():
        if config := single.config.get(encoder):
            pad = END if config["hidden_act"] == "quick_gelu" else OPEN_CLIP_PAD
            save_tokenizer(tokenizer, folder / name, config["max_position_embeddings"], pad)
    _save(folder / INDEX, _index(single.config, parts))


def _check(single: SingleFile, part: str) -> None:
    """The part's tensors are those of its module."""
    wanted = {_bare(name): shape for name, shape in _shapes(part, single.config[part]).items()}
    prefix = f"{part}."
    found = {
        _bare(name.removeprefix(prefix)): tensor
        for name, tensor in single.tensors.items()
        if name.startswith(prefix)
    }
    for names, what in ((wanted.keys() - found.keys(), "lacks"), (found.keys() - wanted.keys(), "has")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            other = "" if what == "lacks" else ", which Stable Diffusion does not know"
            raise broken(single.file, f"its {part} {what} {min(names)}{more}{other}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name]:
            raise broken(
                single.file,
                f"its {part} has {name} of shape {list(tensor.shape)}, wanted is {list(wanted[name])}",
            )
        if tensor.dtype not in FLOATS:
            raise broken(single.file, f"its {part} has {name} as {tensor.dtype}")


def _bare(name: str) -> str:
    """transformers has text_model in some modules, in others only in what it stores."""
    return name.removeprefix("text_model.")


def _shapes(part: str, config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of the module without memory (torch's meta device)."""
    with torch.device("meta"):
        if part in ENCODERS:
            kind = getattr(transformers, config["architectures"][0])
            module: torch.nn.Module = kind(transformers.CLIPTextConfig(**config))
        else:
            module = getattr(diffusers, config["_class_name"]).from_config(config)
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def _write(single: SingleFile, parts: list[str], folder: Path) -> Iterator[Phase]:
    total = sum(tensor.nbytes for tensor in single.tensors.values())
    done, told = 0, 0.0
    yield Phase("saving", 0, total, "bytes")
    for part in parts:
        (folder / part).mkdir()
        file = folder / part / ("model" if part in ENCODERS else "diffusion_pytorch_model")
        tensors = [tensor for name, tensor in single.tensors.items() if name.startswith(f"{part}.")]
        with single.file.open("rb") as source, file.with_suffix(".safetensors").open("wb") as out:
            out.write(_header(tensors, part))
            for tensor in tensors:
                for raw in _read(source, tensor):
                    out.write(raw)
                    done += len(raw)
                    if time.monotonic() - told > EVERY_S or done == total:
                        told = time.monotonic()
                        yield Phase("saving", done, total, "bytes")
        sync(file.with_suffix(".safetensors"))


def _header(tensors: list[TensorInfo], part: str) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for tensor in tensors:
        header[tensor.name.removeprefix(f"{part}.")] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, position + tensor.nbytes],
        }
        position += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _read(source: BinaryIO, tensor: TensorInfo) -> Iterator[bytes]:
    """A tensor's bytes, in pieces; one that is to be turned round at once."""
    source.seek(tensor.start)
    if tensor.name.endswith(f".{TURNED}"):
        stored = tensor.shape[::-1]
        raw = np.frombuffer(_whole(source, tensor.nbytes, tensor), f"u{ITEM_BYTES[tensor.dtype]}")
        yield raw.reshape(stored).T.tobytes()
        return
    for position in range(0, tensor.nbytes, CHUNK):
        yield _whole(source, min(CHUNK, tensor.nbytes - position), tensor)


def _whole(source: BinaryIO, size: int, tensor: TensorInfo) -> bytes:
    raw = source.read(size)
    if len(raw) != size:
        raise broken(tensor.file, "it became shorter while it was read")
    return raw


def _index(config: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    """model_index.json, by which diffusers opens the folder too."""
    index: dict[str, Any] = {
        "_class_name": config["_class_name"],
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", config["scheduler"]["_class_name"]],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    for part in parts:
        index[part] = ["transformers" if part in ENCODERS else "diffusers", CLASSES[part][0]]
        if part in ENCODERS:
            index[ENCODERS[part]] = ["transformers", "CLIPTokenizer"]
    if "text_encoder_2" in parts:
        return index | {"force_zeros_for_empty_prompt": True}
    return index | {"safety_checker": [None, None], "requires_safety_checker": False}


def _save(file: Path, config: dict[str, Any]) -> None:
    file.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
