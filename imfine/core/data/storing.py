"""Writes a data set's canonical form: made beside its place, named by its hash, renamed when it is whole.

`rows.jsonl`, its index (`offsets.i64`: where each row begins, and the end), `lines.i64` (where each row stood
in what was given), `pictures/`, `dataset.json`. The hash is that of rows.jsonl, which names every picture by
its own. Knows no format that came in.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from array import array
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from imfine.core.data.rows import Row, to_json
from imfine.core.models import folders
from imfine.core.models.folders import sync

ROWS, OFFSETS, LINES, PICTURES, ABOUT = "rows.jsonl", "offsets.i64", "lines.i64", "pictures", "dataset.json"
STAGE = ".making-"
HELD = 1 << 16  # numbers of an index that wait to be written
kept = partial(folders.kept, "data set", "try again")


class Writer:
    """A data set on its way; within `with`. Whatever ends it, nothing is left but the whole folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.rows = self.size = 0
        self._sha256 = hashlib.sha256()
        self._digests = array("Q")  # 8 bytes a row, to find those that repeat another
        with kept():
            root.mkdir(parents=True, exist_ok=True)
            self.stage = Path(tempfile.mkdtemp(prefix=f"{STAGE}{os.getpid()}-", dir=root))
            (self.stage / PICTURES).mkdir()
            self._file = (self.stage / ROWS).open("wb", buffering=1 << 20)
            self._offsets = _Numbers(self.stage / OFFSETS)
            self._lines = _Numbers(self.stage / LINES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._file, self._offsets.file, self._lines.file):
            _close(file)
        shutil.rmtree(self.stage, ignore_errors=True)

    @property
    def pictures(self) -> Path:
        return self.stage / PICTURES

    def add(self, row: Row, line: int) -> None:
        """Raises: NotKept."""
        data = json.dumps(to_json(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._sha256.update(data)
        self._digests.append(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()))
        with kept():
            self._file.write(data)
            self._offsets.add(self.size)
            self._lines.add(line)
        self.size += len(data)
        self.rows += 1

    def repeated(self) -> np.ndarray:
        """The indices of rows that are equal to an earlier one, rising."""
        digests = np.frombuffer(self._digests, np.uint64)
        order = np.argsort(digests, kind="stable")
        same = digests[order[1:]] == digests[order[:-1]]
        return np.sort(order[1:][same])

    def line_of(self, rows: np.ndarray) -> list[int]:
        with kept():
            self._lines.flush()
        return [int(line) for line in np.memmap(self.stage / LINES, "<i8", "r")[rows]]

    def close(self, about: dict[str, Any]) -> Path:
        """The finished folder; one that is there already is left as it is. Raises: NotKept."""
        place = self._root / self._sha256.hexdigest()
        with kept():
            self._offsets.add(self.size)
            self._file.close()
            self._offsets.close()
            self._lines.close()
            text = json.dumps(about, ensure_ascii=False, indent=1)
            (self.stage / ABOUT).write_text(text, encoding="utf-8")
            files = [path for path in self.stage.rglob("*") if path.is_file()]
            for path in files:
                path.chmod(0o444)
                sync(path)
            for folder in (self.pictures, self.stage):
                sync(folder)
            try:
                self.stage.chmod(0o755)
                self.stage.rename(place)
            except OSError as reason:
                if reason.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            sync(self._root)
        return place


class _Numbers:
    """64-bit numbers, little end first, into a file."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")
        self._held: list[int] = []

    def add(self, number: int) -> None:
        self._held.append(number)
        if len(self._held) >= HELD:
            self.flush()

    def flush(self) -> None:
        self.file.write(np.array(self._held, "<i8").tobytes())
        self.file.flush()
        self._held.clear()

    def close(self) -> None:
        self.flush()
        self.file.close()


def _close(file: BinaryIO | Any) -> None:
    with suppress(OSError):  # what was still to be written finds no room: nothing of it is wanted
        file.close()


def forget_unfinished(root: Path) -> None:
    """What processes left that were killed while they wrote; not what others of this machine write now."""
    for left in root.glob(f"{STAGE}*"):
        if not Path("/proc", left.name.removeprefix(STAGE).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
