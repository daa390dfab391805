"""Checkpoints: folders of safetensors and JSON that are whole or not there, kept by count.

A folder is made beside its place, its files are on the disk with their hashes in manifest.json, then it is
renamed. One whose files are not those of its manifest is passed over for the one before. No pickle. Knows
tensors and JSON, not what they mean; torch only when it reads or writes one, for the server looks here too.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imfine.core.models.folders import sha256, staged, sync
from imfine.errors import SetupError

NAME = re.compile(r"step-(\d{8})")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A whole one. `state` is what the run said of itself."""

    step: int
    folder: Path
    state: dict[str, Any]

    def weights(self) -> dict[str, Any]:
        return self._tensors("weights")

    def optimizer(self) -> dict[str, Any]:
        return self._tensors("optimizer")

    def _tensors(self, name: str) -> dict[str, Any]:
        from safetensors.torch import load_file

        return load_file(self.folder / f"{name}.safetensors")


def save(
    home: Path,
    step: int,
    weights: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    state: Mapping[str, Any],
) -> None:
    """`weights` and `optimizer`: tensors by name. Raises: SetupError when the disk is full; the checkpoints
    before it stay whole."""
    from safetensors.torch import save_file

    folder = home / f"step-{step:08d}"
    with told_when_full(home), staged(folder) as stage:
        for name, tensors in (("weights", weights), ("optimizer", optimizer)):
            plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
            save_file(plain, stage / f"{name}.safetensors", metadata={"format": "pt"})
        (stage / "state.json").write_text(json.dumps(state, indent=1))
        files = {file.name: sha256(file) for file in sorted(stage.iterdir())}
        (stage / MANIFEST).write_text(json.dumps({"step": step, "sha256": files}, indent=1))
        for file in stage.iterdir():
            sync(file)
        sync(stage)
    sync(home)


def steps(home: Path) -> list[int]:
    """Of all checkpoints, whole or not, the newest last."""
    return sorted(int(match[1]) for each in home.glob("step-*") if (match := NAME.fullmatch(each.name)))


def newest(home: Path) -> tuple[Checkpoint | None, list[int]]:
    """The newest that is whole, and the steps of those that were passed over for it."""
    broken: list[int] = []
    for step in reversed(steps(home)):
        found = read(home, step)
        if found is not None:
            return found, broken
        broken.append(step)
    return None, broken


def read(home: Path, step: int) -> Checkpoint | None:
    """None: it is not whole."""
    folder = home / f"step-{step:08d}"
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if any(sha256(folder / name) != digest for name, digest in manifest["sha256"].items()):
            return None
        return Checkpoint(step, folder, json.loads((folder / "state.json").read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def prune(home: Path, keep: int, best: int | None) -> list[int]:
    """Deletes all but the newest `keep` and the one of step `best`. Returns the steps that are left."""
    there = steps(home)
    left = [step for step in there if step in there[-keep:] or step == best]
    for step in set(there) - set(left):
        shutil.rmtree(home / f"step-{step:08d}")
    return left


def sweep(home: Path) -> None:
    """Deletes what killed processes left half-written."""
    for part in home.glob(".step-*.part"):
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def told_when_full(home: Path) -> Iterator[None]:
    """A full disk, by whichever library met it, as SetupError."""
    try:
        yield
    except Exception as error:  # safetensors has an error of its own, with the system's words in it
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error)
        if not full:
            raise
        raise SetupError(
            "the disk filled up while a training run was saved; what was saved before is whole",
            remedy="free some space, then resume the run",
            path=str(home),
        ) from error
