"""A stored data set: its rows by number, read from the disk as they are asked for; its split.

Knows neither where rows came from nor how a model reads them. Many threads and processes may read one.
"""

from __future__ import annotations

import json
import os
import weakref
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imfine.core.data.rows import Row, from_json
from imfine.core.data.storing import ABOUT, LINES, OFFSETS, PICTURES, ROWS
from imfine.errors import DataError, Invalid

Kind = Literal["text", "image"]


@dataclass(frozen=True)
class Dataset:
    """`rows` counts; `bytes` are rows.jsonl's and the pictures'; `columns` maps parts to the names they had;
    `findings` as `Finding.to_json`. `sizes` of pictures: {"smallest": [w, h], "largest": [w, h]}."""

    folder: Path
    name: str
    kind: Kind
    format: str
    rows: int
    bytes: int
    columns: dict[str, str]
    findings: list[dict[str, Any]]
    sizes: dict[str, list[int]] | None
    _offsets: np.ndarray = field(repr=False, compare=False)
    _lines: np.ndarray = field(repr=False, compare=False)
    _file: int = field(repr=False, compare=False)

    @property
    def hash(self) -> str:
        """The sha256 of rows.jsonl, which names every picture by its own."""
        return self.folder.name

    def row(self, i: int) -> Row:
        """Row i, from 0."""
        if not 0 <= i < self.rows:
            raise IndexError(i)
        begin, end = int(self._offsets[i]), int(self._offsets[i + 1])
        return from_json(json.loads(os.pread(self._file, end - begin, begin)), self.folder / PICTURES)

    def line(self, i: int) -> int:
        """Where row i stood in the file that was given; lines count from 1."""
        return int(self._lines[i])

    def split(self, seed: int, eval_share: float) -> tuple[Sequence[int], Sequence[int]]:
        """(rows to train on, rows to measure with), rising; the same for the same seed everywhere.

        At least one row on either side where there are two and the share is above 0. Raises: Invalid.
        """
        if not 0 <= eval_share < 1:
            raise Invalid(
                f"the share of rows to measure with is {eval_share}",
                remedy="give a share from 0 to below 1",
                field="eval_share",
                value=eval_share,
            )
        if eval_share == 0 or self.rows < 2:
            return range(self.rows), ()
        count = min(max(round(self.rows * eval_share), 1), self.rows - 1)
        drawn = np.random.PCG64(seed).random_raw(
            self.rows
        )  # its stream is promised to stay, permutation's is not
        order = np.argsort(drawn, kind="stable")
        return _numbers(order[count:]), _numbers(order[:count])

    def to_json(self) -> dict[str, Any]:
        """All that is told of it, as dataset.json says it, and its hash."""
        names = ("name", "kind", "format", "rows", "bytes", "columns", "findings", "sizes")
        return {"hash": self.hash, **{name: getattr(self, name) for name in names}}


def _numbers(rows: np.ndarray) -> Sequence[int]:
    """Rising, 8 bytes each."""
    return array("q", np.sort(rows).astype("q").tobytes())


def open_dataset(folder: Path) -> Dataset:
    """Raises: DataError where there is no data set, or not a whole one."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        offsets = np.memmap(folder / OFFSETS, "<i8", "r")
        lines = np.memmap(folder / LINES, "<i8", "r")
        if len(offsets) != about["rows"] + 1 or (folder / ROWS).stat().st_size != offsets[-1]:
            raise ValueError("the index does not fit the rows")
        file = os.open(folder / ROWS, os.O_RDONLY | os.O_CLOEXEC)
        found = Dataset(folder, **about, _offsets=offsets, _lines=lines, _file=file)
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise DataError(
            f"{folder.name} is no whole data set: {reason}",
            remedy="give the data once more",
            field="dataset",
            value=folder.name,
        ) from reason
    weakref.finalize(found, os.close, file)
    return found
