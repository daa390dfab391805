"""Every row's tokens, rendered once and kept on the disk: an epoch reads them and tokenises nothing.

Memory holds two numbers a row, whatever the size of the data. The folder is whole or not there. Knows no
order, no model.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from imfine.core.events import Notice, Phase
from imfine.core.models.folders import staged
from imfine.errors import Invalid

EVERY_S = 0.1  # between two reports of progress


class Example(Protocol):
    @property
    def ids(self) -> list[int]: ...
    @property
    def trained(self) -> list[bool]: ...


class Tokens:
    """`lengths[i]` tokens of row i, `counts[i]` of them targets; 0 and 0 for a row without a target."""

    def __init__(self, folder: Path) -> None:
        self.lengths: list[int] = np.fromfile(folder / "lengths", np.int64).tolist()
        self.counts: list[int] = np.fromfile(folder / "counts", np.int64).tolist()
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._ids = np.memmap(folder / "ids", np.int32, "r")
        self._trained = np.memmap(folder / "trained", np.bool_, "r")

    def __len__(self) -> int:
        return len(self.lengths)

    def example(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """ids (T) int64, trained (T) bool."""
        span = slice(self._starts[row], self._starts[row + 1])
        return torch.from_numpy(self._ids[span].astype(np.int64)), torch.from_numpy(
            self._trained[span].copy()
        )

    def words(self, row: int) -> bytes:
        """The ids as bytes, to be compared."""
        return self._ids[self._starts[row] : self._starts[row + 1]].tobytes()


def write_tokens(
    folder: Path, rows: int, example: Callable[[int], Example], *, length: int, **made_from: object
) -> Iterator[Phase | Notice]:
    """Renders rows 0 … `rows` − 1 into `folder`; nothing to do where it was `made_from` the same already.

    `length`: the tokens at which `example` cuts a row. A row without a target is left out, and told.
    Raises: Invalid when none is left.
    """
    made_from["length"] = length
    key = hashlib.sha256(json.dumps([rows, made_from], sort_keys=True).encode()).hexdigest()
    if (folder / "key").exists() and (folder / "key").read_text() == key:
        return
    lengths, counts = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    cut = 0  # rows without a target that fill the length: their answers are behind it
    told = time.monotonic()
    yield Phase("loading", 0, rows, "parts")
    with staged(folder) as stage:
        with (stage / "ids").open("wb") as ids, (stage / "trained").open("wb") as trained:
            for row in range(rows):
                each = example(row)
                if any(each.trained[1:]):  # nothing comes before the first token, so it is no target
                    lengths[row], counts[row] = len(each.ids), sum(each.trained[1:])
                    ids.write(np.asarray(each.ids, np.int32).tobytes())
                    trained.write(np.asarray(each.trained, np.bool_).tobytes())
                else:
                    cut += len(each.ids) >= length
                if time.monotonic() - told > EVERY_S:
                    told = time.monotonic()
                    yield Phase("loading", row, rows, "parts")
        left_out = int((counts == 0).sum())
        if left_out == rows:
            raise _nothing_to_learn(rows, cut, length)
        lengths.tofile(stage / "lengths")
        counts.tofile(stage / "counts")
        (stage / "key").write_text(key)
    yield Phase("loading", rows, rows, "parts")
    if left_out:
        yield Notice(
            "rows_left_out",
            f"{left_out:,} of {rows:,} rows have no token to learn and are left out"
            + (f"; the answers of {cut:,} lie beyond the first {length:,} tokens" if cut else ""),
            {"left_out": left_out, "rows": rows, "cut": cut, "length": length},
        )


def _nothing_to_learn(rows: int, cut: int, length: int) -> Invalid:
    if cut:
        return Invalid(
            f"none of the {rows:,} rows has a token to learn in its first {length:,}: {cut:,} are longer",
            remedy="raise the length, or cut what is asked",
            field="plan.length",
            value=length,
        )
    return Invalid(
        f"none of the {rows:,} rows has a token to learn",
        remedy="give rows with an answer, or train on every token (answers_only: false)",
        field="data",
        value=rows,
    )
