"""What a model's weight files hold, by their headers alone: safetensors (one file or shards) read by hand.

Every name, shape and offset is checked against the file before anything else touches it: a cut-off file, a
forged header length or overlapping tensors end here, with file and reason. Knows no torch, no architecture
and no values.
Format: https://huggingface.co/docs/safetensors (8 bytes little-endian header length, JSON header, data).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imfine.errors import ModelBroken

INDEX = "model_index.json"  # of an image model; its weights lie in its parts
PARTS = ("text_encoder", "text_encoder_2", "unet", "vae")
STEMS = ("model", "diffusion_pytorch_model")
MAX_HEADER = 100_000_000  # bytes; the safetensors library's own limit
MAX_CONFIG = 100_000_000  # bytes of a JSON file we read (tokenizer.json of large vocabularies is some 20 MB)
ITEM_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2,
    "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
# Buffers that old files carry beside the parameters: causal masks, rotary frequencies, positions.
BUFFERS = re.compile(r"\.(attn|attention)\.(masked_)?bias$|rotary_emb\.inv_freq$|\.position_ids$")
HEADS = frozenset({"lm_head.weight", "embed_out.weight"})  # the output layer, the embedding's twin where tied


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies: `nbytes` bytes of `file`, from its byte `start` on."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    nbytes: int
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def broken(file: Path, reason: str) -> ModelBroken:
    return ModelBroken(
        f"{file.name} is broken: {reason}",
        remedy="fetch the model again, from its source",
        field="model",
        file=file.name,
        reason=reason,
    )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file of the model.

    Raises: ModelBroken when it cannot be read, is not JSON or not an object.
    """
    try:
        if file.stat().st_size > MAX_CONFIG:
            raise broken(file, f"it is larger than {MAX_CONFIG:,} bytes")
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise broken(file, f"it cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise broken(file, f"it holds a {type(value).__name__}, not an object")
    return value


def read_safetensors(file: Path) -> dict[str, TensorInfo]:
    """The tensors of one safetensors file by name.

    Raises: ModelBroken when the header and the file contradict each other.
    """
    return read_with_metadata(file)[0]


def read_with_metadata(file: Path) -> tuple[dict[str, TensorInfo], dict[str, Any]]:
    """As `read_safetensors`, and what the header's `__metadata__` says. Raises: ModelBroken."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(8)
            if len(head) < 8:
                raise broken(file, f"it has {size} bytes, not even the 8 of a header length")
            length = int.from_bytes(head, "little")
            if length > min(MAX_HEADER, size - 8):
                raise broken(file, f"its header claims {length:,} bytes, the file has {size - 8:,} after it")
            text = stream.read(length)
        header = json.loads(text, object_pairs_hook=unique)
    except (OSError, ValueError, RecursionError) as error:
        raise broken(file, f"its header cannot be read ({error})") from error
    if not isinstance(header, dict):
        raise broken(file, "its header is not a JSON object")
    metadata = header.pop("__metadata__", None)
    spans = [(*_span(file, name, entry), name) for name, entry in header.items()]
    position = 0
    for start, end, name in sorted(spans):
        if start != position:
            where = "overlaps the tensor before it" if start < position else "leaves a hole before it"
            raise broken(file, f"{name} {where} (starts at byte {start:,}, expected {position:,})")
        position = end
    if position != size - 8 - length:
        raise broken(
            file,
            f"its tensors need {position:,} bytes, it has {size - 8 - length:,}: it is cut off or padded",
        )
    data = 8 + length
    tensors = {
        name: TensorInfo(
            name, header[name]["dtype"], tuple(header[name]["shape"]), file, end - start, data + start
        )
        for start, end, name in spans
    }
    return tensors, metadata if isinstance(metadata, dict) else {}


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's pairs; a name given twice is refused, where json would silently keep the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice")
    return found


def _span(file: Path, name: str, entry: Any) -> tuple[int, int]:
    """Start and end of a tensor's bytes, checked against its dtype and shape."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(start), int(end)]} if (
            dtype in ITEM_BYTES and all(type(n) is int and n >= 0 for n in shape)
        ):
            wanted = math.prod(shape) * ITEM_BYTES[dtype]
            if start < 0 or end - start != wanted:
                raise broken(file, f"{name} of {dtype} {shape} needs {wanted:,} bytes, has {end - start:,}")
            return start, end
    raise broken(file, f"the entry of {name!r:.100} is malformed or of an unknown dtype")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model's folder: what its index names, else its one file; of an image model
    those of all its parts. [] when it has none.

    Raises: ModelBroken when the index is malformed or names a file outside the folder.
    """
    if (folder / INDEX).exists():
        return [file for part in PARTS if (folder / part).is_dir() for file in weight_files(folder / part)]
    for variant in ("", "fp16"):
        for stem in STEMS:
            index = folder / f"{stem}.safetensors.index{variant and f'.{variant}'}.json"
            if index.exists():
                return _indexed(folder, index)
            single = folder / f"{stem}{variant and f'.{variant}'}.safetensors"
            if single.exists():
                return [single]
    only = sorted(folder.glob("*.safetensors"))
    return only if len(only) == 1 else []


def _indexed(folder: Path, index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise broken(index, "it has no weight_map")
    names = {name for name in weight_map.values() if isinstance(name, str)}
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise broken(index, f"it names {name!r:.100}, which is not a safetensors file of this folder")
    return [folder / name for name in sorted(names)]


def prefix_of(file: Path, folder: Path) -> str:
    """What an image model's tensors are told apart by: "unet."; "" for a file of the folder itself."""
    return "" if file.parent == folder else f"{file.parent.name}."


def read_folder(folder: Path) -> dict[str, TensorInfo]:
    """All tensors of a model's folder, from every shard; those of an image model under their part's name.

    Raises: ModelBroken when a shard is missing, malformed, or repeats a tensor of another.
    """
    tensors: dict[str, TensorInfo] = {}
    for file in weight_files(folder):
        if not file.exists():
            raise broken(file, "the index names it and it is not there")
        found = {prefix_of(file, folder) + name: each for name, each in read_safetensors(file).items()}
        if twice := tensors.keys() & found.keys():
            raise broken(file, f"{min(twice)} is in another shard too")
        tensors |= found
    return tensors


def parameters_of(tensors: Mapping[str, TensorInfo], tied: bool) -> dict[str, TensorInfo]:
    """The tensors that are parameters: without masks, rotary frequencies, and an output layer `tied` to the
    embedding."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if not BUFFERS.search(name) and not (tied and name in HEADS)
    }
