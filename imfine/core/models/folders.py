"""Folders that are whole or not there: made beside their place, described by hashes, renamed at the end.

Knows files only, not what is in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imfine.errors import NotKept, SetupError

NAME = re.compile(r"\w[\w. +-]{0,199}")  # of a model's or a delta's folder
GONE = ".gone"  # ends the name of a folder that is being deleted
NAME_LENGTH = 64  # of one that is made here
ORIGIN = "origin.json"  # where a folder's model came from, and the hashes of its files
ADAPTERS = "adapters"  # the home's folder of what was learned or given beside the models
FACTS = "imfine-train.json"  # what a folder was trained from, and how


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time makes `folder`; another waits here and finds it made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well, and is deleted when it does not."""
    stage = stage_of(folder, os.getpid())
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        yield stage
        if folder.exists():  # an incomplete one, or one whose origin has changed
            shutil.rmtree(folder)
        stage.rename(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def stage_of(folder: Path, pid: int) -> Path:
    """Where a process makes `folder`; what it left when it was killed."""
    return folder.parent / f".{folder.name}.{pid}.part"


def taken_away(folder: Path) -> Path:
    """Out of its place at once, as a hidden folder beside it, which may be deleted at leisure."""
    gone = folder.with_name(f".{folder.name}{GONE}")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    return gone


def sync(path: Path) -> None:
    """A file or folder is on the disk after it: before the rename that makes it count, say."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_origin(folder: Path, **facts: Any) -> None:
    """origin.json: the facts, and size and sha256 of every file beside and below it."""
    there = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    files = {
        file.relative_to(folder).as_posix(): {"size": file.stat().st_size, "sha256": sha256(file)}
        for file in there
    }
    for file in there:
        file.chmod(0o644)
    (folder / ORIGIN).write_text(json.dumps({**facts, "files": files}, indent=1))


def read_origin(folder: Path) -> dict[str, Any] | None:
    """What origin.json tells, or None: there is none, or the files are not those it describes (by size)."""
    try:
        origin: dict[str, Any] = json.loads((folder / ORIGIN).read_text())
        if all((folder / name).stat().st_size == file["size"] for name, file in origin["files"].items()):
            return origin
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def converted_dir(file: Path, home: Path) -> Path:
    """Where a model's file is kept as a folder: by path, size and time, so that another file is another
    folder."""
    stat = file.stat()
    key = hashlib.sha256(f"{file.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}".encode()).hexdigest()[:16]
    return home / "converted" / f"{file.stem}-{key}"


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def need_disk(folder: Path, wanted: int, what: str) -> None:
    """Raises: SetupError when fewer than `wanted` bytes are free where `folder` will be."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise SetupError(
            f"{what} needs {wanted / 1e9:.2f} GB of disk, {place} has {free / 1e9:.2f} GB free",
            remedy="free some space, or name another home with IMFINE_HOME",
            wanted=wanted,
            free=free,
            path=str(place),
        )


@contextmanager
def kept(what: str, then: str) -> Iterator[None]:
    """A disk that takes nothing more, as NotKept; `then`: what to do when it does again."""
    try:
        yield
    except OSError as reason:
        raise NotKept(
            f"the {what} could not be kept: {os.strerror(reason.errno) if reason.errno else reason}",
            remedy=f"see that the disk of IMFINE_HOME has room and can be written, then {then}",
        ) from reason
