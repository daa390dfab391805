"""Training by names: a model's name, files of data, a name for the result. Knows settings and folders.

What it resolves it hands to the loop, which knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import imfine.core.libraries  # noqa: F401 (before torch)
from imfine.core import memory
from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.events import Notice, Phase
from imfine.core.models.catalog import Card, check_name, find, layout_of
from imfine.core.models.checksum import checksum
from imfine.core.models.folders import converted_dir, read_origin
from imfine.core.models.local import read_local
from imfine.core.models.pull import pull
from imfine.core.train import checkpoint
from imfine.core.train.data import check_kind
from imfine.core.train.events import ProbeResult, TrainEvent
from imfine.core.train.fit import check_fits
from imfine.core.train.home import Home
from imfine.core.train.learner import check_method, check_plain
from imfine.core.train.loop import Order, train
from imfine.core.train.plan import Plan
from imfine.core.train.probe import probe
from imfine.core.train.result import free
from imfine.core.train.room import Need
from imfine.core.train.room import free as free_memory
from imfine.core.train.sharding import parts
from imfine.errors import ModelRefused
from imfine.settings import Settings
from imfine.settings import settings as default_settings


@dataclass(frozen=True)
class Source:
    """A model on this disk, as a parent."""

    id: str
    path: Path
    checksum: str


@dataclass(frozen=True)
class Named:
    """All that was named, found. `need`: of memory, for one process."""

    parent: Source
    data: Dataset
    plan: Plan
    out_dir: Path
    need: Need


def named(
    model: str,
    data: Sequence[str | Path],
    name: str,
    changes: Mapping[str, Any],
    *,
    resume: bool = False,
    settings: Settings | None = None,
) -> Iterator[Phase | Named]:
    """Finds (and fetches) the model, stores the data, checks the plan against both and the memory.

    `changes`: a plan's settings; a run that is resumed has its own for the others.
    Raises: Invalid, Conflict, OutOfMemory, what catalog.find, pull and ingest raise.
    """
    settings = settings or default_settings()
    check_name(name, settings)
    out_dir = settings.models_dir / name
    free(out_dir)
    home = Home(out_dir)
    if not resume:
        home.check_new(name)
    plan = _plan(changes, home if resume else None)
    parent, need = yield from found_parent(model, plan, settings)
    found: Dataset | None = None
    for each in ingest(data, settings.home / "datasets"):
        if isinstance(each, Phase):
            yield each
        else:
            found = each
    assert found is not None, "ingest yields the data set last"
    check_kind(read_local(parent.path).layout, found)
    yield Named(parent, found, plan, out_dir, need)


def found_parent(
    model: str, plan: Plan, settings: Settings, *, revision: str | None = None, any_folder: bool = True
) -> Generator[Phase, None, tuple[Source, Need]]:
    """Finds (and fetches) the model and holds the plan against it and the memory; both are returned.

    Raises: Invalid, OutOfMemory, what catalog.find and pull raise.
    """

    def check(card: Card) -> None:
        plan.check(layout_of(card))
        check_method(plan)

    source = yield from found_source(model, settings, check, revision=revision, any_folder=any_folder)
    local = read_local(source.path)
    check_plain(source.id, local.config)
    return source, check_fits(local, plan, source.id, *free_memory(), parts=parts())


def found_source(
    model: str,
    settings: Settings,
    check: Callable[[Card], None] = lambda card: None,
    *,
    revision: str | None = None,
    any_folder: bool = True,
) -> Generator[Phase, None, Source]:
    """Finds the model, and fetches it where it is not here yet and `check` lets it pass.

    Raises: what catalog.find, `check` and pull raise.
    """
    card = find(model, settings, any_folder=any_folder, revision=revision)
    check(card)
    if not card.ready:
        yield from pull(card, settings)
        card = find(model, settings, any_folder=any_folder, revision=revision)
    assert card.path is not None
    folder = _folder(Path(card.path), settings)
    return Source(card.id, folder, checksum(folder, settings.home))


def train_named(
    model: str,
    data: Sequence[str | Path],
    name: str,
    changes: Mapping[str, Any],
    *,
    resume: bool = False,
    stop: Callable[[], Order] = lambda: "go",
) -> Iterator[TrainEvent]:
    """The model's and the data's phases, then the run's events. Raises: what `named` and `train` raise."""
    for each in named(model, data, name, changes, resume=resume):
        if isinstance(each, Named):
            yield from _found_in(each.data)
            yield from train(each.parent, each.data, each.plan, each.out_dir, resume=resume, stop=stop)
        else:
            yield each


def _found_in(data: Dataset) -> Iterator[Notice]:
    """What was found in the files; of what bears on the split the run tells itself."""
    for each in data.findings:
        if each["code"] not in ("one_row", "all_equal"):
            lines = {"lines": each["lines"]} if each["lines"] else {}
            yield Notice(each["code"], each["message"], {**each["params"], **lines})


def estimate_named(
    model: str, data: Sequence[str | Path], name: str, changes: Mapping[str, Any]
) -> Iterator[Phase | Notice | tuple[Need, ProbeResult]]:
    """What a run would take, by shapes and some steps that are thrown away; it comes last."""
    for each in named(model, data, name, changes):
        if not isinstance(each, Named):
            yield each
            continue
        with TemporaryDirectory(prefix="imfine-probe-") as folder:
            for step in probe(each.parent, each.data, each.plan, Path(folder) / "probe"):
                yield (each.need, step) if isinstance(step, ProbeResult) else step


def _plan(changes: Mapping[str, Any], home: Home | None) -> Plan:
    kept: dict[str, Any] = {"dtype": memory.default_dtype()}
    if home is not None and (found := checkpoint.newest(home.folder)[0]) is not None:
        kept = dict(found.state["plan"])
        for one, other in (("steps", "epochs"), ("epochs", "steps")):
            if one in changes:
                kept[other] = None
    return Plan.parse({**kept, **changes})


def _folder(path: Path, settings: Settings) -> Path:
    """A GGUF file's tensors are trained from the safetensors that were made of it.

    Raises: ModelRefused when there are none yet.
    """
    if path.is_dir():
        return path
    folder = converted_dir(path, settings.home)
    if read_origin(folder) is None:
        raise ModelRefused(
            f"{path.name} is a GGUF file",
            remedy="answer with it once (imfine tune): that keeps it as safetensors, which can be trained",
            field="model",
            value=str(path),
        )
    return folder
