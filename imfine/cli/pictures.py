"""Original and tuned pictures from the command line: steps are shown, files written, measures told.

Knows no model and no option.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imfine.cli.lanes import TITLES, adjusted, tell
from imfine.cli.show import followed
from imfine.core.events import Event, Notice, Phase, Picture, PictureResult, to_json
from imfine.errors import Invalid

NAMES = ("base", "tuned")


def folder_for(out: Path) -> Path:
    """The folder that pictures go to, made if need be: refused before they are painted. Raises: Invalid."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise _unwritable(out, reason.strerror) from reason
    if not os.access(out, os.W_OK | os.X_OK):
        raise _unwritable(out, "no permission")
    return out


def painted(events: Iterator[Event], out: Path, count: int) -> PictureResult:
    """Follows pictures to their end; each is a file in `out` as soon as it is there. Raises: Invalid."""
    result = followed(_kept(events, out, count))
    assert isinstance(result, PictureResult), "pictures end with their result"
    return result


def _kept(events: Iterator[Event], out: Path, count: int) -> Iterator[Phase | PictureResult]:
    for event in events:
        if isinstance(event, Picture):
            _write(file_of(out, event.lane, event.index, count), event.png)
        elif isinstance(event, Notice):
            tell(event)
        elif isinstance(event, Phase | PictureResult):
            yield event


def file_of(out: Path, lane: int, index: int, count: int) -> Path:
    """out/tuned.png, and where there are several out/tuned-1.png …"""
    return out / f"{NAMES[lane]}{f'-{index + 1}' if count > 1 else ''}.png"


def _write(file: Path, data: bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            part.write_bytes(data)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as reason:
        raise _unwritable(file, reason.strerror) from reason


def _unwritable(path: Path, reason: str | None) -> Invalid:
    return Invalid(
        f"{path} cannot be written: {reason}",
        remedy="name a folder that can be written, and has room, after --out",
        field="out",
        value=str(path),
    )


def spoken(result: PictureResult, out: Path) -> str:
    """Each picture's file, beside the tuned one's how far it is from the original."""
    count = result.image["count"]
    lines = []
    for lane, (title, painted) in enumerate(zip(TITLES, result.lanes, strict=True)):
        for measures in painted.metrics["pictures"]:
            line = f"{title:<9} {file_of(out, lane, measures['index'], count)}"
            lines.append(f"{line}  {_beside(measures)}" if lane else line)
    return "\n".join([*lines, adjusted(result)])


def _beside(measures: dict[str, Any]) -> str:
    if measures["difference"] is None or not measures["difference"]:
        return "no pixel changed"
    return f"differs by {measures['difference']:.1%}, SSIM {measures['ssim']:.2f}"


def told(result: PictureResult, out: Path) -> dict[str, Any]:
    """The result as JSON, its pictures with their files. A lane's own `file` and `sha256` are its first's."""
    kept = to_json(result)
    for lane, painted in enumerate(kept["lanes"]):
        for picture in painted["pictures"]:
            picture["file"] = str(file_of(out, lane, picture["index"], result.image["count"]))
        first = painted["pictures"][0]
        painted |= {"file": first["file"], "sha256": first["sha256"]}
    return kept
