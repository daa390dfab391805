"""Weights in 8 and 4 bits (bitsandbytes): can this machine use them, and what does a folder of them hold.
Plain Python: imports no torch.

bitsandbytes is no library of every machine: setup brings it where there is an NVIDIA GPU. It runs on a CPU
too (docs/decisions/quantised.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from imfine.core.models.weights import TensorInfo, broken
from imfine.errors import ImfineError

INSTALL = "install it (.venv/bin/pip install bitsandbytes) and start I'm Fine again"
# What a quantised matrix has beside its bits: scales and code books, and in 4 bits its shape as JSON.
BESIDE = re.compile(
    r"(?P<weight>.*\.weight)\.(?:absmax|quant_map|nested_absmax|nested_quant_map"
    r"|(?P<state>quant_state\.bitsandbytes__(?:nf4|fp4)))$|(?P<module>.*)\.(?:SCB|weight_format)$"
)
MAX_STATE = 1 << 16  # bytes of that JSON


def available() -> bool:
    return find_spec("bitsandbytes") is not None


def method_of(config: Mapping[str, Any]) -> str | None:
    """How a config.json says that its weights are quantised; None: they are plain."""
    found = config.get("quantization_config")
    if found is None:
        return None
    return str(found.get("quant_method")) if isinstance(found, Mapping) else "an unknown method"


def check_available(kind: type[ImfineError], what: str, otherwise: str, field: str, value: Any) -> None:
    """`otherwise`: what can be done without it. Raises: an error of `kind` when it is not installed."""
    if not available():
        raise kind(
            f"{what} needs bitsandbytes, which is not installed here",
            remedy=f"{otherwise}, or {INSTALL}",
            field=field,
            value=value,
        )


def as_plain(tensors: Mapping[str, TensorInfo], *, transposed: bool) -> dict[str, TensorInfo]:
    """A bitsandbytes folder's tensors by the names and shapes of its plain model; their dtypes stay (U8, I8).
    `transposed`: the family stores matrices as (in, out); quantised ones never are.

    Raises: ModelBroken.
    """
    plain = {name: info for name, info in tensors.items() if not BESIDE.match(name)}
    for name, info in tensors.items():
        found = BESIDE.match(name)
        if found is None:
            continue
        weight = found["weight"] or f"{found['module']}.weight"
        if weight not in plain:
            raise broken(info.file, f"{name} belongs to {weight}, which is not there")
        if found["state"] or name.endswith(".SCB"):
            shape = _shape(info) if found["state"] else plain[weight].shape
            plain[weight] = replace(plain[weight], shape=shape[::-1] if transposed else shape)
    return plain


def _shape(info: TensorInfo) -> tuple[int, ...]:
    try:
        with info.file.open("rb") as file:
            file.seek(info.start)
            shape = json.loads(file.read(min(info.nbytes, MAX_STATE)))["shape"]
        if len(shape) == 2 and all(type(side) is int and side > 0 for side in shape):
            return tuple(shape)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise broken(info.file, f"{info.name} does not tell the shape of its matrix")
