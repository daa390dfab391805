"""A safetensors file written anew with some of its tensors changed; the rest goes over byte by byte.

The header stays, so every tensor keeps its place, shape and dtype, and one tensor is in memory at a time.
Knows no recipe and no training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch

from imfine.core.models.weights import TensorInfo, broken, read_safetensors
from imfine.errors import ModelRefused

CHUNK = 1 << 24  # bytes copied at a time
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
Change = Callable[[torch.Tensor], torch.Tensor]  # what is stored → what shall be, in any float dtype


def check_changeable(name: str, info: TensorInfo, advice: str) -> None:
    """Raises: ModelRefused for a tensor that is no plain float."""
    if info.dtype not in DTYPES:
        raise ModelRefused(f"{name} is stored as {info.dtype}", remedy=advice, field="model")


def rewritten(file: Path, changes: Mapping[str, Change], target: Path) -> Iterator[int]:
    """Writes `file` to `target`, `changes` by the names of its tensors; yields the bytes since the last time.

    Raises: ModelBroken.
    """
    tensors = sorted(read_safetensors(file).values(), key=lambda info: info.start)
    with file.open("rb") as source, target.open("wb") as out:
        head = source.read(8)
        text = source.read(int.from_bytes(head, "little"))
        out.write(head + text)
        yield len(head) + len(text)
        for info in tensors:
            if change := changes.get(info.name):
                out.write(_changed(info, b"".join(_pieces(source, info)), change))
                yield info.nbytes
                continue
            for raw in _pieces(source, info):
                out.write(raw)
                yield len(raw)


def _changed(info: TensorInfo, raw: bytes, change: Change) -> bytes:
    """The tensor's new bytes, rounded once to its own dtype."""
    old = torch.frombuffer(bytearray(raw), dtype=DTYPES[info.dtype]).view(info.shape)
    new = change(old).cpu().to(old.dtype).contiguous()
    assert new.shape == old.shape, f"{info.name} changed its shape"
    return new.view(-1).view(torch.uint8).numpy().tobytes()


def _pieces(source: BinaryIO, info: TensorInfo) -> Iterator[bytes]:
    left = info.nbytes
    while left:
        raw = source.read(min(CHUNK, left))
        if not raw:
            raise broken(info.file, "it became shorter while it was read")
        left -= len(raw)
        yield raw
