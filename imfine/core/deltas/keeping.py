"""Adapters that are given: checked against a model, kept in <home>/adapters/<id>/, listed, taken away.

Only what an adapter needs is copied: its safetensors and PEFT's config. Pickles are never opened; a zip is
read as one of data is, with its limits. Plain Python.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from imfine.core.data.sources import Source, opened
from imfine.core.deltas.adapter import CONFIG, DIFFUSERS, WEIGHTS
from imfine.core.deltas.found import GIVEN, Delta, facts_of, modules_of, parent_of, read_delta, weights_folder
from imfine.core.models.catalog import Card, find
from imfine.core.models.checksum import checksum
from imfine.core.models.folders import (
    ADAPTERS,
    NAME,
    NAME_LENGTH,
    kept,
    locked,
    need_disk,
    staged,
    sync,
    taken_away,
)
from imfine.core.models.known import SHIPPED, starter
from imfine.core.models.local import Local, read_local
from imfine.errors import AdapterError, Conflict, DataError, ImfineError, Invalid, ModelRefused, NotFound
from imfine.settings import Settings

COPY = 1 << 20  # bytes at a time
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pickle", ".pkl")
MAX_CONFIG = 1 << 20


def keep_adapter(
    path: Path, name: str, card: Card, settings: Settings, file_name: str | None = None
) -> Delta:
    """Keeps a .safetensors file, a PEFT folder, or a zip of one, as a delta of the model: whole or not.

    `file_name`: what the file is called where its path is a temporary one.
    Raises: AdapterError (no adapter, one of another model, a zip that cannot be used), Invalid (name, path),
    Conflict (name taken, or the model is not on this disk), NotKept, SetupError.
    """
    check_name(name, settings)
    parent = weights_folder(card, settings)
    if parent is None:
        raise Conflict(
            f"{card.id} is not on this disk yet, so its tensors are not known",
            remedy=f"run it once, or fetch it with: imfine pull {card.id}",
            field="model",
            value=card.id,
        )
    model, target = read_local(parent), settings.home / ADAPTERS / name
    facts = {
        "parent": {"id": card.id, "checksum": checksum(parent, settings.home)},
        "file": file_name or path.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        with opened({path: file_name or path.name}) as sources, kept("adapter", "give it once more"):
            _keep(_chosen(sources, file_name or path.name), target, facts, model)
    except DataError as error:
        raise AdapterError(error.message, remedy=error.remedy, field="adapter", value=error.value) from error
    return read_delta(name, target, model, modules_of(model))


def adapters(settings: Settings) -> list[dict[str, Any]]:
    """Every adapter of the home, as `adapter` tells it."""
    home = settings.home / ADAPTERS
    folders = sorted(home.iterdir()) if home.is_dir() else []
    named = (folder.name for folder in folders if folder.is_dir() and NAME.fullmatch(folder.name))
    return [told for name in named if (told := adapter(name, settings)) is not None]


def adapter(id: str, settings: Settings) -> dict[str, Any] | None:
    """{id, model, created, file, delta, reason}; `delta` as Delta.to_json, or null with the reason, an error,
    why it cannot be turned. None: its folder tells no model."""
    folder = settings.home / ADAPTERS / id
    parent = parent_of(folder)
    if parent is None:
        return None
    facts = facts_of(folder)
    told: dict[str, Any] = {"id": id, "model": str(parent.get("id")), "delta": None, "reason": None}
    told |= {"created": facts.get("created"), "file": facts.get("file")}
    try:
        told["delta"] = _read(folder, parent, settings).to_json()
    except ImfineError as error:
        told["reason"] = error.to_json()
    return told


def take_away(id: str, settings: Settings) -> None:
    """Raises: NotFound."""
    folder = settings.home / ADAPTERS / id
    if not NAME.fullmatch(id) or not folder.is_dir():
        raise no_adapter(id)
    shutil.rmtree(taken_away(folder), ignore_errors=True)


def no_adapter(id: str) -> NotFound:
    return NotFound(
        f"there is no adapter {id:.200}",
        remedy="list them with imfine adapters list, or GET /api/adapters",
        field="id",
        value=id,
    )


def check_name(name: str, settings: Settings) -> None:
    """Raises: Invalid for a name that no delta can have, Conflict for one that is taken."""
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise Invalid(
            f"an adapter cannot be called {name!r:.80}",
            remedy=f"give a name of at most {NAME_LENGTH} letters, digits, spaces, + - _ and .",
            field="name",
            value=name,
        )
    folders = (settings.models_dir / name, settings.home / ADAPTERS / name, SHIPPED / name)
    if starter(name) is not None or any(folder.exists() for folder in folders):
        raise Conflict(
            f"there is a model or an adapter called {name!r} already",
            remedy="choose another name",
            field="name",
            value=name,
        )


def _chosen(sources: Sequence[Source], given: str) -> dict[str, Source]:
    """The files that are kept, by the names they get. Raises: AdapterError."""
    by_name = {PurePosixPath(source.name).name: source for source in sources}
    if CONFIG in by_name:
        if WEIGHTS not in by_name:
            raise _refused(given, f"it has {CONFIG} and no {WEIGHTS}", _safetensors(by_name))
        return {CONFIG: by_name[CONFIG], WEIGHTS: by_name[WEIGHTS]}
    weights = [source for source in sources if source.suffix == ".safetensors"]
    if DIFFUSERS in by_name:
        return {DIFFUSERS: by_name[DIFFUSERS]}
    if len(weights) == 1:
        return {"adapter.safetensors": weights[0]}
    raise _refused(given, f"it holds {len(weights)} .safetensors files", _safetensors(by_name))


def _safetensors(names: dict[str, Source]) -> str:
    pickle = next((name for name in names if name.endswith(PICKLES)), None)
    if pickle is not None:
        return f"save it as safetensors: {pickle} is a pickle, which can run code when it is opened"
    return f"give one .safetensors file, or a zip of PEFT's folder ({CONFIG} and {WEIGHTS})"


def _keep(chosen: dict[str, Source], target: Path, facts: dict[str, Any], model: Local) -> None:
    need_disk(target, sum(source.size for source in chosen.values()), "the adapter")
    with locked(target), staged(target) as stage:
        for name, source in chosen.items():
            if name == CONFIG and source.size > MAX_CONFIG:
                raise _refused(
                    str(facts["file"]), f"its {CONFIG} is larger than {MAX_CONFIG:,} bytes", "mend it"
                )
            with source.open() as stream, (stage / name).open("wb") as out:
                shutil.copyfileobj(stream, out, COPY)
        (stage / GIVEN).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
        read_delta(target.name, stage, model, modules_of(model))  # before it is kept
        for each in (*stage.iterdir(), stage):
            sync(each)


def _read(folder: Path, parent: dict[str, Any], settings: Settings) -> Delta:
    card = find(str(parent.get("id")), settings, any_folder=False)
    weights = weights_folder(card, settings)
    if weights is None or checksum(weights, settings.home) != parent["checksum"]:
        raise ModelRefused(
            f"{card.id} is not here any more as {folder.name} was given for it",
            remedy="fetch that model again, or delete the adapter",
            field="model",
            value=card.id,
        )
    model = read_local(weights)
    return read_delta(folder.name, folder, model, modules_of(model))


def _refused(name: str, fact: str, remedy: str) -> AdapterError:
    return AdapterError(f"{name}: {fact}", remedy=remedy, field="adapter", value=name)
