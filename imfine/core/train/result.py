"""The trained model as a folder that is whole or not there: weights, adapter, card, and what it was made of.

A weight file is the parent's, byte for byte, but for the trained tensors, which are put in their places in
the parent's dtype (rounding.py). Knows a learner that has finished, no loop.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch

from imfine.core.events import Phase
from imfine.core.families import name_in, stored
from imfine.core.models.folders import FACTS, locked, need_disk, staged, sync
from imfine.core.models.pictures import is_picture_model, parts_of, tokenizers_of
from imfine.core.models.rewrite import Change, check_changeable, rewritten
from imfine.core.models.weights import INDEX, prefix_of, read_folder, read_json, weight_files
from imfine.core.train.card import card_of
from imfine.core.train.checkpoint import told_when_full
from imfine.core.train.events import TrainResult
from imfine.core.train.home import CURVES, SAMPLES
from imfine.core.train.learner import Parent
from imfine.core.train.prepared import AnyLearner
from imfine.core.train.rounding import rounded
from imfine.core.train.targets import targets
from imfine.errors import Conflict

COPIED = (
    "config.json", INDEX, "scheduler_config.json", "generation_config.json", "processor_config.json",
    "imfine.json",
    "*.safetensors.index.json",
    "tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*",
    "LICEN*", "NOTICE*",
)  # fmt: skip
ADAPTER = "adapter"  # the folder in the model's with what PEFT, or diffusers and kohya read


def write_result(
    learner: AnyLearner, parent: Parent, out_dir: Path, home: Path, facts: Mapping[str, Any]
) -> Iterator[Phase]:
    """Writes `out_dir`: a model that loads like its parent; with an adapter also adapter/, as PEFT or
    diffusers has it. `home`: the run's folder, with its curves and sample pictures.

    Yields Phase("saving", bytes done, bytes of all weight files).
    Raises: Conflict when `out_dir` exists, SetupError when the disk is too small or fills up.
    """
    source = parent.path
    files = weight_files(source)
    total = sum(file.stat().st_size for file in files)
    need_disk(out_dir, total, "the trained model")
    with locked(out_dir):
        free(out_dir)
        yield Phase("saving", 0, total)
        with told_when_full(out_dir.parent), staged(out_dir) as stage:
            done = 0
            changes = _changes(learner)
            for file in files:
                target, prefix = stage / file.relative_to(source), prefix_of(file, source)
                target.parent.mkdir(exist_ok=True)
                own = {
                    name.removeprefix(prefix): each
                    for name, each in changes.items()
                    if name.startswith(prefix)
                }
                for size in rewritten(file, own, target):
                    done += size
                    yield Phase("saving", done, total)
            _copy_rest(source, stage)
            shutil.copyfile(home / CURVES, stage / CURVES)
            if (home / SAMPLES).is_dir():
                shutil.copytree(home / SAMPLES, stage / SAMPLES)
            (stage / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
            (stage / "README.md").write_text(card_of(out_dir.name, learner.local, facts), "utf-8")
            if learner.plan.method != "full":
                learner.write_adapter(stage / ADAPTER, out_dir.name)
            for path in [*stage.rglob("*"), stage]:
                sync(path)
        sync(out_dir.parent)


def free(out_dir: Path) -> None:
    """Raises: Conflict when something is there already."""
    if out_dir.exists():
        raise Conflict(
            f"{out_dir.name} is already there",
            remedy="choose another name; training never writes over a model",
            field="name",
            value=out_dir.name,
        )


def finished(out_dir: Path, run: str) -> TrainResult | None:
    """What `run` has made, where it died before it could tell; None: it has made nothing."""
    try:
        facts = json.loads((out_dir / FACTS).read_text("utf-8"))
        if facts["run"] != run:
            return None
        adapter = str(out_dir / ADAPTER) if facts["adapter"] else None
        return TrainResult(
            path=str(out_dir),
            adapter=adapter,
            curves=str(out_dir / CURVES),
            versions=facts["versions"],
            **facts["numbers"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _changes(learner: AnyLearner) -> dict[str, Change]:
    """What training makes of the parent's tensors, by their stored names.

    Raises: ModelRefused for one that is no plain float.
    """
    tensors = read_folder(learner.local.path)
    changes: dict[str, Change] = {}
    if learner.plan.method == "full":
        trained = learner.trained
        for target in targets(learner.local.layout, learner.plan):
            for name in (f"{target.module}.weight", f"{target.module}.bias"):
                if (own := name_in(trained, name)) is not None:
                    new = trained[own].detach()
                    changes[stored(name, tensors)] = lambda _, new=new: new  # type: ignore[misc]
    else:
        for target in targets(learner.local.layout, learner.plan):
            changes[stored(f"{target.module}.weight", tensors)] = partial(learner.merged, target.module)
    for name in changes:
        check_changeable(name, tensors[name], "train the model's version that is not quantised")
    return {name: partial(_rounded, each, f"{learner.plan.seed} {name}") for name, each in changes.items()}


def _rounded(change: Change, seed: str, stored: torch.Tensor) -> torch.Tensor:
    return rounded(change(stored), stored.dtype, seed)


def _copy_rest(source: Path, stage: Path) -> None:
    """Config, tokenizer, licence; read_local has checked that no link leads out of the folder. Not what the
    parent's folder tells of the parent: its card, its measures, its own training."""
    folders = [source]
    if is_picture_model(source):
        index = read_json(source / INDEX)
        parts = (*parts_of(index), *(at.name for at in tokenizers_of(source, index)), "scheduler")
        folders += [source / part for part in parts]
    for folder in folders:
        there = stage / folder.relative_to(source)
        there.mkdir(exist_ok=True)
        for file in folder.iterdir():
            if file.is_file() and any(fnmatch(file.name, pattern) for pattern in COPIED):
                shutil.copyfile(file, there / file.name)
