"""An adapter's files as what they change in one model: low-rank pairs by module, checked by their headers.

Plain Python: names, shapes and scales; the values are change.py's matter. Three forms are read, and told by
what is there: a PEFT folder (adapter_config.json), diffusers' pytorch_lora_weights.safetensors, kohya's file.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from imfine.core.deltas.keys import KOHYA, Modules, split
from imfine.core.models.weights import FLOATS, TensorInfo, read_json, read_with_metadata
from imfine.errors import AdapterError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # PEFT's names
DIFFUSERS = "pytorch_lora_weights.safetensors"
METADATA = "lora_adapter_metadata"  # diffusers': PEFT's settings by part
CHANGED_PARENT = ("pissa", "olora", "loftq", "corda")  # ways to begin that change the model's own weights
Form = Literal["peft", "diffusers", "kohya"]


@dataclass(frozen=True)
class Pair:
    """What an adapter has for one module: ΔW = scale · B·A, with A (r, in, …) and B (out, r, …).

    magnitude   (out,) of DoRA: W′ is the sum's rows, each brought to this length
    bias        (out,) in place of the module's own
    added       (out,) times scale, added to the module's own bias
    """

    module: str
    a: TensorInfo | None = None
    b: TensorInfo | None = None
    scale: float = 1.0
    magnitude: TensorInfo | None = None
    bias: TensorInfo | None = None
    added: TensorInfo | None = None

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in (self.a, self.b, self.magnitude, self.bias, self.added) if t is not None)


@dataclass(frozen=True)
class Adapter:
    form: Form
    method: Literal["lora", "dora"]
    pairs: Mapping[str, Pair]  # by our names of the modules
    file: Path


def read_adapter(path: Path, modules: Modules) -> Adapter:
    """An adapter's folder or file, held against a model.

    Raises:
        AdapterError: another kind of adapter, or one of another model: with the key, and the shapes it wants.
        ModelBroken: a file is malformed.
    """
    file, config = _found(path)
    tensors, metadata = read_with_metadata(file)
    roles: dict[str, dict[str, TensorInfo]] = {}
    for key, tensor in tensors.items():
        named = split(key)
        if named is None:
            raise _unknown(file, key)
        if tensor.dtype not in FLOATS:
            raise _refused(file, f"{key} is stored as {tensor.dtype}", "give one in plain floats")
        roles.setdefault(named[0], {})[named[1]] = tensor
    if not roles:
        raise _refused(file, "it holds no tensors", "give the adapter's weights")
    settings = _Settings.read(file, config, metadata)
    pairs: dict[str, Pair] = {}
    for name, parts in roles.items():
        module = modules.find(name)
        if module is None:
            raise _other_model(file, name, roles)
        if module in pairs:
            raise _refused(file, f"it has {module} twice", "give each module once")
        pairs[module] = _pair(name, module, parts, settings, modules)
    dora = any(pair.magnitude is not None for pair in pairs.values())
    kohya = any(name.startswith(tuple(KOHYA)) for name in roles)
    form: Form = "peft" if config is not None else "kohya" if kohya else "diffusers"
    return Adapter(form, "dora" if dora else "lora", pairs, file)


def _found(path: Path) -> tuple[Path, dict[str, Any] | None]:
    """The adapter's weights, and PEFT's config beside them."""
    if path.is_file():
        return path, None
    if (path / CONFIG).is_file():
        config = read_json(path / CONFIG)
        kind = config.get("peft_type")
        if kind != "LORA":
            raise _refused(path, f"it is {kind!s:.40}, which cannot be turned here", "give LoRA or DoRA")
        if (path / WEIGHTS).is_file():
            return path / WEIGHTS, config
        raise _refused(path, f"it has {CONFIG} and no {WEIGHTS}", "give both files; pickles are not opened")
    if (path / DIFFUSERS).is_file():
        return path / DIFFUSERS, None
    files = sorted(path.glob("*.safetensors"))
    if len(files) != 1:
        raise _refused(
            path, f"it holds {len(files)} .safetensors files", f"give one, or {CONFIG} with {WEIGHTS}"
        )
    return files[0], None


@dataclass(frozen=True)
class _Settings:
    """Where PEFT's config says what a pair's scale is; `by_part`: diffusers' metadata has one for each."""

    by_part: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, file: Path, config: Mapping[str, Any] | None, metadata: Mapping[str, Any]) -> _Settings:
        if config is None:
            try:
                told = json.loads(metadata.get(METADATA) or "{}")
            except (ValueError, RecursionError, TypeError) as error:
                raise _refused(file, f"its {METADATA} is no JSON", "save it again with diffusers") from error
            parts: dict[str, dict[str, Any]] = {}
            for key, value in told.items() if isinstance(told, dict) else ():
                part, _, name = key.partition(".")
                parts.setdefault(part, {})[name] = value
            return cls(parts)
        start = config.get("init_lora_weights")
        if isinstance(start, str) and start.lower().startswith(CHANGED_PARENT):
            raise _refused(
                file, f"it began as {start:.20}, which changes the model's own weights",
                "save it as plain LoRA: path_initial_model_for_weight_conversion of PEFT's save_pretrained",
            )  # fmt: skip
        for key in ("modules_to_save", "layer_replication", "target_parameters", "megatron_config"):
            if config.get(key):
                raise _refused(file, f"its {key} is {config[key]!s:.80}", f"give one without {key}")
        return cls({"": config})

    def scale(self, file: Path, name: str, rank: int) -> float:
        """alpha / r, or alpha / √r. 1 where nothing is said."""
        config = self.by_part.get("", self.by_part.get(name.partition(".")[0]))
        if config is None:
            return 1.0
        alpha = config.get("lora_alpha", config.get("r", rank))
        for pattern, value in dict(config.get("alpha_pattern") or {}).items():
            plain = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
            if not all(letter.isalnum() or letter in "._-" for letter in plain):
                raise _refused(
                    file, f"its alpha_pattern {pattern!r:.80} is no plain name", "name each module"
                )
            if f".{name}".endswith(f".{plain}"):
                alpha = value
                break
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not math.isfinite(alpha):
            raise _refused(file, f"its lora_alpha is {alpha!r:.40}", "give a number")
        return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _pair(
    name: str, module: str, parts: dict[str, TensorInfo], settings: _Settings, modules: Modules
) -> Pair:
    a, b, file = parts.get("a"), parts.get("b"), next(iter(parts.values())).file
    out, *into = modules.shape(module)
    wanted = f"{out} × {' × '.join(map(str, into))}"
    pair = Pair(
        module, a, b, magnitude=parts.get("magnitude"), bias=parts.get("bias"), added=parts.get("added")
    )
    if (a is None) != (b is None):
        raise _refused(file, f"{name} has one half of a pair", "give lora_A and lora_B")
    if a is not None and b is not None:
        rank = a.shape[0] if a.shape else 0
        fits = rank > 0 and len(b.shape) >= 2 and b.shape[1] == rank
        if not fits or a.size != rank * math.prod(into) or b.size != out * rank:
            raise AdapterError(
                f"{file.name} changes {module} by {list(b.shape)} · {list(a.shape)}, "
                f"which this model has as {wanted}",
                remedy=f"choose the model it was made for: its {name} is "
                f"{b.shape[0] if b.shape else '?'} × {' × '.join(map(str, a.shape[1:]))}",
                field="adapter",
                value=name,
                module=module,
                shape=[out, *into],
            )
        alpha = parts.get("alpha")
        short = name.removeprefix("base_model.model.")
        scale = settings.scale(file, short, rank) if alpha is None else _scalar(alpha) / rank
        if not math.isfinite(scale):
            raise _refused(file, f"{name} has no finite scale", "save it again")
        pair = replace(pair, scale=scale)
    elif pair.magnitude is not None or pair.added is not None or pair.bias is None:
        raise _refused(file, f"{name} has no lora_A and lora_B", "save it again")
    for one in (pair.magnitude, pair.bias, pair.added):
        if one is not None and (one.size != out or one.shape[0] != out):
            raise _refused(file, f"{one.name} has the shape {list(one.shape)}, not [{out}]", "save it again")
    if (pair.bias is not None or pair.added is not None) and modules.parameter(module, "bias") is None:
        raise _refused(file, f"it gives {module} a bias, which the model has not", "train it with bias none")
    return pair


def _scalar(info: TensorInfo) -> float:
    """A tensor of one number, read from its bytes."""
    with info.file.open("rb") as stream:
        stream.seek(info.start)
        raw = stream.read(info.nbytes)
    if info.size != 1:
        raise _refused(info.file, f"{info.name} has the shape {list(info.shape)}", "save it again")
    if info.dtype == "BF16":
        raw, kind = b"\0\0" + raw, "f"
    else:
        kind = {"F16": "e", "F32": "f", "F64": "d"}[info.dtype]
    return float(struct.unpack(f"<{kind}", raw)[0])


def _other_model(file: Path, name: str, roles: Mapping[str, Mapping[str, TensorInfo]]) -> AdapterError:
    shapes = [
        f"{known} ({b.shape[0]} × {' × '.join(map(str, a.shape[1:]))})"
        for known, parts in roles.items()
        if (a := parts.get("a")) is not None and (b := parts.get("b")) is not None and a.shape and b.shape
    ]
    return AdapterError(
        f"{file.name} changes {name}, which this model does not have",
        remedy=f"choose the model it was made for: one with {', '.join([*shapes[:1], *shapes[-1:]])}",
        field="adapter",
        value=name,
        modules=len(roles),
        expects=shapes[:20],
    )


def _unknown(file: Path, key: str) -> AdapterError:
    return AdapterError(
        f"{file.name} has a tensor {key:.120}, which is no part of a LoRA",
        remedy="give an adapter: LoRA or DoRA as PEFT, diffusers or kohya write them",
        field="adapter",
        value=key,
    )


def _refused(path: Path, fact: str, remedy: str) -> AdapterError:
    return AdapterError(f"{path.name}: {fact}", remedy=remedy, field="adapter", value=path.name)
