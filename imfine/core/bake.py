"""A recipe made into real weights: the source's safetensors files, tensor by tensor, some multiplied.

One tensor is in memory at a time (models/rewrite.py), so a model of any size can be baked. The folder is
whole or not there (temporary folder, fsync, rename). What plain formats cannot say, an eps for each norm,
goes into imfine.json, and a module that we load gets it back; config.json keeps its one eps, and other
programs lose the moves. Knows no live model and no gains of rows.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from imfine.core.deltas.change import tuned
from imfine.core.deltas.found import Delta, modules_of
from imfine.core.events import Phase
from imfine.core.manifest import Touch, delta_touches, touches
from imfine.core.models.folders import FACTS, ORIGIN, locked, need_disk, staged, sync
from imfine.core.models.local import EXTRA, Local, read_local
from imfine.core.models.pictures import is_picture_model
from imfine.core.models.rewrite import Change, check_changeable, rewritten
from imfine.core.models.weights import prefix_of, weight_files
from imfine.core.recipe import Recipe
from imfine.errors import Conflict, ModelRefused, SetupError

KEPT = (".json", ".txt", ".model", ".jinja", ".md")  # beside the weights: config, tokenizer, licence, card


def bake(
    source_dir: str | Path, recipe: Recipe, target_dir: str | Path, deltas: Sequence[Delta] = ()
) -> Iterator[Phase]:
    """Writes the model in `source_dir`, the recipe in its weights, to `target_dir`, which is not there yet.

    `deltas`: those the model has; the recipe may name some.

    Yields:
        Phase("saving", bytes done, bytes of all weight files).

    Raises:
        RecipeError: the recipe does not fit the model, or names another delta.
        AdapterError: a delta has numbers that are not finite.
        Conflict: `target_dir` exists.
        ModelRefused: the source has no safetensors weights, or a tensor to multiply is no plain float.
        ModelBroken: a file of the source is malformed.
        SetupError: the disk is too small, or filled up.
    """
    source, target = Path(source_dir), Path(target_dir).absolute()
    model = read_local(source)
    if model.tensors is None or source.is_file():
        raise _refused(
            f"{source.name} is one file", "load it first, which makes a folder of it, and bake that"
        )
    recipe.check(model.layout)
    shapes = {name: t.shape for name, t in model.tensors.items()}
    touched = touches(model.layout, recipe, shapes)
    by_deltas = delta_touches(model.layout, recipe, shapes, deltas)
    for name in dict.fromkeys([*touched, *by_deltas]):
        check_changeable(name, model.tensors[name], "bake the model's version that is not quantised")
    changes_of = _changes(model, touched, by_deltas, {delta.id: delta for delta in deltas})
    files = weight_files(source)
    total = sum(file.stat().st_size for file in files)
    need_disk(target, total, "the baked model")
    with locked(target):
        if target.exists():
            raise Conflict(
                f"{target.name} is already there",
                remedy="choose another name; a bake never writes over a model",
                field="target",
                value=str(target),
            )
        yield Phase("saving", 0, total)
        with _told_when_full(target), staged(target) as stage:
            done = 0
            for file in files:
                baked = stage / file.relative_to(source)
                baked.parent.mkdir(exist_ok=True)
                prefix = prefix_of(file, source)
                changes = {
                    name.removeprefix(prefix): changes_of[name]
                    for name in changes_of
                    if name.startswith(prefix)
                }
                for size in rewritten(file, changes, baked):
                    done += size
                    yield Phase("saving", done, total)
            _copy_rest(source, stage)
            _write_extra(model, recipe, stage / EXTRA)
            for path in (*stage.rglob("*"), stage):
                sync(path)
        sync(target.parent)


def _changes(
    model: Local,
    touched: Mapping[str, Touch],
    by_deltas: Mapping[str, Mapping[str, float]],
    deltas: Mapping[str, Delta],
) -> dict[str, Change]:
    """What becomes of each stored tensor: g · (W₀ + Σ δ·ΔW)."""
    modules = modules_of(model)
    ours = {
        modules.parameter(module, of): (module, of)
        for delta in deltas.values()
        for module in delta.modules
        for of in ("weight", "bias")
    }

    def changed(name: str, old: torch.Tensor) -> torch.Tensor:
        if name in by_deltas:
            module, of = ours[name]
            own = [(deltas[id], strength) for id, strength in by_deltas[name].items()]
            old = tuned(old, own, module, of, turned=modules.turned(module))
        return _multiplied(touched[name], old) if name in touched else old

    return {name: partial(changed, name) for name in dict.fromkeys([*touched, *by_deltas])}


def _multiplied(touch: Touch, weight: torch.Tensor) -> torch.Tensor:
    """W (O, I, …) × factors along the touched axis, or mixed along its first; in float32 or better."""
    exact = torch.promote_types(weight.dtype, torch.float32)
    if touch.matrix is not None:
        mixed: torch.Tensor = torch.tensordot(
            torch.tensor(touch.matrix, dtype=exact), weight.to(exact), dims=1
        )
        return mixed
    factors = torch.tensor([factor for _, _, factor in touch.parts], dtype=exact)
    sizes = torch.tensor([size for _, size, _ in touch.parts])
    broadcast = [-1 if axis == touch.axis else 1 for axis in range(weight.dim())]
    return weight.to(exact) * factors.repeat_interleave(sizes).view(broadcast)


def _copy_rest(source: Path, stage: Path) -> None:
    """Config, tokenizer, licence and card; read_local has checked that no link leads out of the folder."""
    folders = [source]
    if is_picture_model(source):
        folders += [file for file in source.iterdir() if file.is_dir() and not file.name.startswith(".")]
    for folder in folders:
        there = stage / folder.relative_to(source)
        there.mkdir(exist_ok=True)
        for file in folder.iterdir():
            plain = file.suffix in KEPT or file.name.upper().startswith("LICEN")
            if file.is_file() and plain and file.name not in (ORIGIN, EXTRA, FACTS):
                shutil.copyfile(file, there / file.name)


def _write_extra(model: Local, recipe: Recipe, file: Path) -> None:
    moved = {
        norm: model.layout.eps_of(norm) * factor for norm, factor in recipe.gains(model.layout).eps.items()
    }
    extra = {"recipe": recipe.to_json(), "norm_eps": {**model.layout.norm_eps, **moved}}
    file.write_text(json.dumps(extra, indent=1) + "\n")


@contextmanager
def _told_when_full(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SetupError(
            f"the disk filled up while {target.name} was written; nothing of it was kept",
            remedy="free some space and bake again",
            path=str(target.parent),
        ) from error


def _refused(problem: str, remedy: str) -> ModelRefused:
    return ModelRefused(problem, remedy=remedy, field="model")
