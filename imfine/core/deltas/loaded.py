"""The deltas that a warm model has in memory: read when a run first names one, let go when room is wanted.

Knows one model: its folder, its modules, its dtype. Which names a run may use was decided before.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from imfine.core import memory
from imfine.core.deltas.change import LOW_RANK, change_of, read
from imfine.core.deltas.found import Delta, deltas_of, modules_of, named_delta
from imfine.core.deltas.live import Change
from imfine.core.events import Phase
from imfine.core.models.catalog import Card
from imfine.core.models.local import read_local
from imfine.core.models.module import DTYPES, EVERY_S
from imfine.core.models.weights import FLOATS
from imfine.core.recipe import Recipe
from imfine.errors import AdapterError, OutOfMemory
from imfine.settings import Settings


@dataclass(frozen=True, eq=False)
class LoadedDelta:
    """`changes`: by our names of the modules. `whole`: W′ is here too where low-rank matrices would do."""

    delta: Delta
    changes: dict[str, Change]
    whole: bool
    nbytes: int
    stamp: tuple[Any, ...]  # of its files: another delta of the same name has another


class Model(Protocol):
    """A LoadedModel or LoadedImageModel."""

    @property
    def dtype(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def card(self) -> Card: ...
    @property
    def path(self) -> Path: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def equalizer(self) -> Any: ...


def load_deltas(model: Model, recipes: Sequence[Recipe], in_use: Collection[str] = ()) -> Iterator[Phase]:
    """Reads those that `recipes` name and the model does not have yet, on to its equalizer. `in_use`: ids
    that may not go when there is no room.

    Yields: Phase("loading", bytes).
    Raises: RecipeError (no such delta), AdapterError, ModelBroken, OutOfMemory.
    """
    kept = model.equalizer.deltas
    wanted: dict[str, bool] = {}  # id -> is W′ itself wanted?
    for recipe in recipes:
        for id in recipe.named_deltas:
            wanted[id] = wanted.get(id, False) or recipe.deltas[id].to_json() == 1.0
    for id in wanted:
        if id in kept:
            kept[id] = kept.pop(id)  # used last
    missing = {
        id: whole
        for id, whole in wanted.items()
        if id not in kept or kept[id].stamp != _stamp(kept[id].delta) or (whole and not kept[id].whole)
    }
    there = deltas_of(model.card, model.settings) if missing else []
    for id, whole in missing.items():
        delta = named_delta(id, model.card.id, there)
        _make_room(model, delta, whole, {*wanted, *in_use})
        yield from _load(model, delta, whole)


def _load(model: Model, delta: Delta, whole: bool) -> Iterator[Phase]:
    equalizer, dtype = model.equalizer, DTYPES[model.dtype]
    local = read_local(model.path)
    modules = modules_of(local)
    total, done, told = need(delta, dtype, whole=whole), 0, time.monotonic()
    changes: dict[str, Change] = {}
    yield Phase("loading", 0, total, "bytes")
    for name in delta.modules:

        def original(of: str, name: str = name) -> Tensor:
            assert local.tensors is not None
            info = local.tensors[modules.parameter(name, of) or ""]
            if info.dtype not in FLOATS:
                raise AdapterError(
                    f"{delta.id} needs the numbers of {info.name}, which is quantised ({info.dtype})",
                    remedy="turn it on the model's unquantised version, or give a plain LoRA",
                    field=f"recipe.deltas.{delta.id}",
                    value=delta.id,
                )
            return read(info)

        changes[name] = change_of(delta, name, equalizer.module(name), dtype, original, whole=whole)
        done += _need_of(delta, name, dtype, whole=whole)
        if time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            yield Phase("loading", done, total, "bytes")
    equalizer.deltas[delta.id] = LoadedDelta(delta, changes, whole, total, _stamp(delta))
    yield Phase("loading", total, total, "bytes")


def need(delta: Delta, dtype: torch.dtype, *, whole: bool) -> int:
    """Bytes in memory."""
    return sum(_need_of(delta, name, dtype, whole=whole) for name in delta.modules)


def _need_of(delta: Delta, name: str, dtype: torch.dtype, *, whole: bool) -> int:
    pair, end = delta.pairs.get(name), delta.ends.get(name)
    size = 0
    if pair is not None and pair.a is not None and pair.b is not None:
        low_rank = LOW_RANK if len(pair.a.shape) == 2 else dtype  # a convolution's stay as the model's are
        size += (pair.a.size + pair.b.size) * low_rank.itemsize
        if pair.magnitude is not None:
            size += pair.a.size * pair.b.size // pair.a.shape[0] ** 2 * dtype.itemsize  # W′
    if end is not None and (pair is None or whole):
        size += end.weight.size * dtype.itemsize
    return size


def _make_room(model: Model, delta: Delta, whole: bool, in_use: Collection[str]) -> None:
    """Raises: OutOfMemory when it does not fit, whoever goes."""
    kept, wanted = model.equalizer.deltas, need(delta, DTYPES[model.dtype], whole=whole)
    for id in [id for id in kept if id not in in_use]:  # the one unused longest first
        if _room(model) >= wanted:
            return
        del kept[id]
    if (have := _room(model)) < wanted:
        raise OutOfMemory(
            f"the delta {delta.id} needs {wanted / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are free",
            remedy="turn fewer deltas at once, or free memory",
            field=f"recipe.deltas.{delta.id}",
            value=delta.id,
            need=wanted,
            have=have,
        )


def _room(model: Model) -> int:
    if model.device != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return memory.available()


def _stamp(delta: Delta) -> tuple[Any, ...]:
    """Size and time of its files; () when they are gone."""
    files = {info.file for pair in delta.pairs.values() for info in (pair.a, pair.bias) if info is not None}
    files |= {end.weight.file for end in delta.ends.values()}
    try:
        stats = [(str(file), file.stat()) for file in sorted(files)]
    except OSError:
        return ()
    return tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
