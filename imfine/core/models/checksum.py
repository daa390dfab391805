"""sha256 of a model's weight files, remembered by path, size and time so that gigabytes are read once.

Proves which weights were loaded; whether they stayed so in memory is fingerprint.py's matter.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from imfine.core.models.folders import sha256
from imfine.core.models.local import EXTRA
from imfine.core.models.weights import weight_files


def checksum(folder: Path, home: Path) -> str:
    """The sha256 of the one weight file, or of the list of them as `sha256sum` writes it."""
    memory = home / "checksums.json"
    known = _read(memory)
    files = weight_files(folder) + [file for file in [folder / EXTRA] if file.exists()]
    lines, fresh = [], False
    for file in files:
        stat = file.stat()
        key, facts = str(file.resolve()), [stat.st_size, stat.st_mtime_ns]
        entry = known.get(key)
        if not isinstance(entry, list) or entry[:2] != facts or len(entry) != 3:
            entry, fresh = [*facts, sha256(file)], True
            known[key] = entry
        lines.append((entry[2], file.relative_to(folder)))
    if fresh:
        _write(memory, known)
    if len(lines) == 1:
        return str(lines[0][0])
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in lines).encode()).hexdigest()


def _read(memory: Path) -> dict[str, Any]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(memory: Path, known: dict[str, Any]) -> None:
    """Whole or not at all; a home that cannot be written costs time only."""
    part = memory.with_suffix(f".{os.getpid()}.part")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known))
        part.replace(memory)
    except OSError:
        part.unlink(missing_ok=True)
