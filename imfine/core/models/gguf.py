"""GGUF files by their header: metadata, tensors, and the config.json they amount to.
Reads no values, needs no torch.

Checked like safetensors, by hand and before any library maps the file: counts, string lengths, offsets and
sizes against the file's end. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2
and 3).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from imfine.core.models.weights import broken
from imfine.errors import ModelRefused, UnsupportedArchitecture

MAX_ITEMS = 10_000_000  # of an array; the largest vocabularies have some 260,000 entries, merges twice that
MAX_TENSORS = 100_000
# type id → struct code of a scalar; 8 is a string, 9 an array
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# GGUF architecture → (our architecture, transformers' model_type): those that transformers can also convert
ARCHITECTURES = {
    "llama": ("LlamaForCausalLM", "llama"),
    "mistral": ("MistralForCausalLM", "mistral"),
    "qwen2": ("Qwen2ForCausalLM", "qwen2"),
    "qwen3": ("Qwen3ForCausalLM", "qwen3"),
    "phi3": ("Phi3ForCausalLM", "phi3"),
    "gpt2": ("GPT2LMHeadModel", "gpt2"),
}
KEYS = {
    "context_length": "max_position_embeddings", "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size", "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads", "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim", "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}  # fmt: skip
GPT2_KEYS = {
    "context_length": "n_positions", "block_count": "n_layer", "embedding_length": "n_embd",
    "feed_forward_length": "n_inner", "attention.head_count": "n_head",
    "attention.layer_norm_epsilon": "layer_norm_epsilon",
}  # fmt: skip


@dataclass(frozen=True)
class GgufTensor:
    """One tensor as it lies in the file: `nbytes` bytes at `start`, of ggml type `kind`. Shape in torch's
    order."""

    name: str
    kind: int
    shape: tuple[int, ...]
    start: int
    nbytes: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Gguf:
    file: Path
    metadata: dict[str, Any]  # arrays of numbers are skipped, arrays of strings kept
    tensors: dict[str, GgufTensor]


class _Reader:
    """Reads little-endian values and never beyond the file's end."""

    def __init__(self, file: Path, stream: BinaryIO) -> None:
        self.file, self.stream = file, stream
        self.left = file.stat().st_size

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise broken(self.file, f"it ends where {count:,} more bytes should be")
        self.left -= count
        return self.stream.read(count)

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def string(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == 8:
            return self.string()
        if kind != 9:
            if kind not in SCALARS:
                raise broken(self.file, f"its metadata has a value of unknown type {kind}")
            return self.number(SCALARS[kind])
        item, count = self.number("I"), self.number("Q")
        if count > MAX_ITEMS:
            raise broken(self.file, f"its metadata has an array of {count:,} items")
        if item in SCALARS:
            self.take(count * struct.calcsize(SCALARS[item]))
            return None
        if item != 8:
            raise broken(self.file, f"its metadata has an array of unknown type {item}")
        return [self.string() for _ in range(count)]


def read_gguf(file: Path) -> Gguf:
    """Metadata and tensors of a GGUF file.

    Raises: ModelBroken when the header is malformed or points beyond the file's end.
    """
    try:
        with file.open("rb") as stream:
            return _read(file, stream)
    except (OSError, OverflowError, MemoryError) as error:
        raise broken(file, f"its header cannot be read ({error})") from error


def _read(file: Path, stream: BinaryIO) -> Gguf:
    reader = _Reader(file, stream)
    if reader.take(4) != b"GGUF":
        raise broken(file, "it does not begin with GGUF")
    version, tensor_count, pair_count = reader.number("I"), reader.number("Q"), reader.number("Q")
    if version not in (2, 3):
        raise broken(file, f"it is of GGUF version {version}; versions 2 and 3 are known")
    if tensor_count > MAX_TENSORS or pair_count > MAX_TENSORS:
        raise broken(file, f"it claims {tensor_count:,} tensors and {pair_count:,} metadata entries")
    metadata: dict[str, Any] = {}
    for _ in range(pair_count):
        key = reader.string()
        metadata[key] = reader.value(reader.number("I"))
    entries = [_entry(reader) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise broken(file, f"its alignment is {alignment!r}")
    data = -(-stream.tell() // alignment) * alignment
    return Gguf(file, metadata, _place(file, entries, data))


def _entry(reader: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    name = reader.string()
    rank = reader.number("I")
    if rank > 8:
        raise broken(reader.file, f"{name!r:.100} has {rank} dimensions")
    shape = tuple(reader.number("Q") for _ in range(rank))[::-1]  # ggml counts from the fastest dimension
    return name, shape, reader.number("I"), reader.number("Q")


def _place(
    file: Path, entries: list[tuple[str, tuple[int, ...], int, int]], data: int
) -> dict[str, GgufTensor]:
    """Where each tensor lies, checked to be inside the file and apart from the others."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    tensors: dict[str, GgufTensor] = {}
    for name, shape, kind, offset in entries:
        if kind not in (known.value for known in GGMLQuantizationType):
            raise broken(file, f"{name!r:.100} is of unknown type {kind}")
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if not shape or shape[-1] % block:
            raise broken(file, f"{name!r:.100} of shape {shape} does not divide into blocks of {block}")
        if name in tensors:
            raise broken(file, f"{name!r:.100} appears twice")
        tensors[name] = GgufTensor(name, kind, shape, data + offset, math.prod(shape) // block * block_bytes)
    position, size = data, file.stat().st_size
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.start):
        if tensor.start < position:
            raise broken(file, f"{tensor.name} overlaps the tensor before it")
        position = tensor.start + tensor.nbytes
        if position > size:
            raise broken(
                file, f"{tensor.name} ends at byte {position:,}, the file at {size:,}: it is cut off"
            )
    return tensors


def config_of(gguf: Gguf) -> dict[str, Any]:
    """The config.json that a GGUF file's metadata amounts to.

    Raises: UnsupportedArchitecture, ModelRefused (scaled rotary positions, which transformers reads as
    unscaled), ModelBroken (a value is missing).
    """
    meta, file = gguf.metadata, gguf.file
    arch = meta.get("general.architecture")
    if arch == "llama" and "mistral" in str(meta.get("general.name", "")).lower():
        row = ARCHITECTURES["mistral"]  # llama.cpp keeps Mistral under "llama"
    elif arch in ARCHITECTURES:
        row = ARCHITECTURES[arch]
    else:
        raise UnsupportedArchitecture(
            f"{file.name} holds the architecture {arch!r:.60}",
            remedy=f"GGUF files are read for {', '.join(ARCHITECTURES)}; take the safetensors version",
            field="model",
            value=str(arch)[:60],
        )
    if meta.get(f"{arch}.rope.scaling.type", "none") != "none" or "rope_freqs.weight" in gguf.tensors:
        raise ModelRefused(
            f"{file.name} scales its rotary positions, which cannot be read exactly from GGUF",
            remedy="take the safetensors version of the model",
            field="model",
        )
    embedding = gguf.tensors.get("token_embd.weight")
    if embedding is None:
        raise broken(file, "it has no token_embd.weight")
    config: dict[str, Any] = {
        "architectures": [row[0]],
        "model_type": row[1],
        "vocab_size": embedding.shape[0],
        "tie_word_embeddings": "output.weight" not in gguf.tensors,
    }
    for key, name in (GPT2_KEYS if arch == "gpt2" else KEYS).items():
        value = meta.get(f"{arch}.{key}")
        if value is not None:
            config[name] = _short(value)
        elif key not in ("attention.head_count_kv", "attention.key_length"):
            raise broken(file, f"its metadata lacks {arch}.{key}")
    if arch != "gpt2":
        config["rope_parameters"] = {
            "rope_type": "default",
            "rope_theta": _short(meta.get(f"{arch}.rope.freq_base", 10000.0)),
        }
    if row[1] == "mistral":
        config["sliding_window"] = meta.get(f"{arch}.attention.sliding_window")
    for kind in ("bos", "eos", "padding", "unknown"):
        token = meta.get(f"tokenizer.ggml.{kind}_token_id")
        if token is not None:
            config[{"padding": "pad", "unknown": "unk"}.get(kind, kind) + "_token_id"] = token
    return config


def _short(value: Any) -> Any:
    """A float32 as the decimal that was meant: 9.999999747378752e-06 is 1e-05."""
    return float(f"{value:.7g}") if isinstance(value, float) else value
