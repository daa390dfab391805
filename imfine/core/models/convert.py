"""A GGUF file becomes a folder of safetensors, tokenizer and config, tensor by tensor: never twice in memory.

Reading a GGUF through transformers takes seconds to minutes and all of its expanded size at once; so it is
done here once, and the folder is loaded ever after. The names' map and the un-permuting of rotary rows are
transformers'. Does not know where folders are kept, nor when one is made (catalog.py, starters.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import gguf as gguf_lib
import numpy as np
import torch
import transformers
from gguf.constants import GGML_QUANT_SIZES, MODEL_ARCH_NAMES, GGMLQuantizationType
from gguf.tensor_mapping import get_tensor_name_map
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

from imfine.core.events import Phase
from imfine.core.families import layout
from imfine.core.models.gguf import Gguf, GgufTensor, config_of
from imfine.core.models.module import unreadable
from imfine.core.models.weights import broken
from imfine.errors import ModelRefused

EVERY_S = 0.05  # between two reports of progress
# What a tensor of the file becomes. Quantised values keep bfloat16's 8 bits; they had 4 to 8 themselves.
KEPT = {GGMLQuantizationType.F32: torch.float32, GGMLQuantizationType.F16: torch.float16}
CODES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
# Digits stand alone in SmolLM's vocabulary; transformers' reader of GGUF tokenizers does not know the name
# "smollm".
SPLITS_DIGITS = frozenset({"smollm"})


def convert(gguf: Gguf, folder: Path) -> Iterator[Phase]:
    """Writes `gguf` as model.safetensors, config.json, generation_config.json and tokenizer into `folder`.

    Yields bytes written. Raises: ModelRefused (tensors that the architecture does not have), ModelBroken.
    """
    config = config_of(gguf)
    dtype = file_dtype(gguf)
    model = empty_model(config, dtype)
    where = layout(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    names = names_of(shapes, gguf.metadata["general.architecture"], where.layers)
    unknown = sorted(gguf.tensors.keys() - names.keys())
    missing = sorted(shapes.keys() - {names[name] for name in gguf.tensors if name in names} - _tied(config))
    if unknown or missing:
        raise ModelRefused(
            f"{gguf.file.name} has tensors that {config['architectures'][0]} does not know: {unknown[:3]}"
            if unknown
            else f"{gguf.file.name} lacks tensors of {config['architectures'][0]}: {missing[:3]}",
            remedy="take the safetensors version of the model",
            field="model",
        )
    yield from _write(gguf, names, shapes, dtype, folder / "model.safetensors")
    _save_config(config, dtype, folder)
    _save_tokenizer(gguf, folder)


def names_of(ours: Iterable[str], architecture: str, layers: int) -> dict[str, str]:
    """GGUF's name of each tensor → ours. (transformers' own map walks every submodule, which takes
    seconds.)"""
    arch = next(key for key, name in MODEL_ARCH_NAMES.items() if name == architecture)
    known = get_tensor_name_map(arch, layers)
    names = {}
    for name in ours:
        module, _, suffix = name.rpartition(".")
        if theirs := known.get_name(module):
            names[f"{theirs}.{suffix}"] = name
    return names


def file_dtype(gguf: Gguf) -> torch.dtype:
    """The dtype that keeps what the file's matrices hold: theirs if they are plain, bfloat16 if quantised."""
    largest = max(gguf.tensors.values(), key=lambda tensor: tensor.size)
    return KEPT.get(GGMLQuantizationType(largest.kind), torch.bfloat16)


def empty_model(config: dict[str, Any], dtype: torch.dtype) -> torch.nn.Module:
    """The module without memory (torch's meta device): its names and shapes."""
    rest = {key: value for key, value in config.items() if key != "model_type"}
    hf_config = transformers.AutoConfig.for_model(config["model_type"], **rest)
    with torch.device("meta"):
        model: torch.nn.Module = getattr(transformers, config["architectures"][0])(hf_config).to(dtype)
    return model


def _tied(config: dict[str, Any]) -> set[str]:
    return {"lm_head.weight"} if config["tie_word_embeddings"] else set()


def _write(
    gguf: Gguf,
    names: dict[str, str],
    shapes: dict[str, tuple[int, ...]],
    dtype: torch.dtype,
    target: Path,
) -> Iterator[Phase]:
    """model.safetensors, one tensor in memory at a time."""
    kind: Any = TENSOR_PROCESSORS.get(gguf.metadata["general.architecture"], TensorProcessor)
    processor = kind(config=config_of(gguf))
    item = dtype.itemsize
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for tensor in gguf.tensors.values():
        name = names[tensor.name]
        if np.prod(shapes[name]) != tensor.size:
            raise broken(
                gguf.file, f"{tensor.name} has the shape {tensor.shape}, the model wants {shapes[name]}"
            )
        header[name] = {
            "dtype": CODES[dtype],
            "shape": list(shapes[name]),
            "data_offsets": [position, position + tensor.size * item],
        }
        position += tensor.size * item
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    done, told = 0, 0.0
    with target.open("wb") as out, gguf.file.open("rb") as source:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in gguf.tensors.values():
            values = processor.process(
                weights=_dequantise(source, tensor),
                name=tensor.name,
                tensor_key_mapping=names,
                parsed_parameters={},
            ).weights
            data = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(dtype)
            if tuple(data.shape) != shapes[names[tensor.name]]:
                raise broken(gguf.file, f"{tensor.name} has the shape {tuple(data.shape)} after reading")
            out.write(data.view(torch.uint8).numpy().data)
            done += tensor.size * item
            if time.monotonic() - told > EVERY_S or done == position:
                told = time.monotonic()
                yield Phase("saving", done, position, "bytes")
        out.flush()
        os.fsync(out.fileno())


def _dequantise(source: BinaryIO, tensor: GgufTensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tensor's values in float32, in torch's shape."""
    source.seek(tensor.start)
    kind = GGMLQuantizationType(tensor.kind)
    block, block_bytes = GGML_QUANT_SIZES[kind]
    raw = np.frombuffer(source.read(tensor.nbytes), dtype=np.uint8)
    raw = raw.reshape(*tensor.shape[:-1], tensor.shape[-1] // block * block_bytes)
    if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
        return raw.view(np.float32 if kind == GGMLQuantizationType.F32 else np.float16).astype(np.float32)
    values: np.ndarray[Any, np.dtype[np.float32]] = gguf_lib.dequantize(raw, kind)
    return values


def _save_config(config: dict[str, Any], dtype: torch.dtype, folder: Path) -> None:
    rest = {key: value for key, value in config.items() if key != "model_type"}
    hf_config = transformers.AutoConfig.for_model(config["model_type"], dtype=dtype, **rest)
    hf_config.save_pretrained(folder)
    transformers.GenerationConfig.from_model_config(hf_config).save_pretrained(folder)


def _save_tokenizer(gguf: Gguf, folder: Path) -> None:
    with unreadable(gguf.file, "tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(gguf.file.parent), gguf_file=gguf.file.name, trust_remote_code=False, local_files_only=True
        )
    if gguf.metadata.get("tokenizer.ggml.pre") in SPLITS_DIGITS:
        from tokenizers.pre_tokenizers import Digits, Sequence

        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = Sequence([Digits(individual_digits=True), backend.pre_tokenizer])
    for ours in ("local_files_only", "is_local"):  # how it was read here is nothing to keep
        tokenizer.init_kwargs.pop(ours, None)
    tokenizer.save_pretrained(folder)
