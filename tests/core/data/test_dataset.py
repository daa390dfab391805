"""A stored data set: rows by number, splits, whole or not there; a large file does not fill the memory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given import given, jsonl, stored

from imfine.core.data import storing
from imfine.core.data.dataset import Dataset, open_dataset
from imfine.core.data.rows import Text
from imfine.errors import DataError, Invalid, NotKept


@pytest.fixture
def ten(tmp_path: Path) -> Dataset:
    return given(tmp_path, "ten.jsonl", jsonl([{"text": f"row {i} 행"} for i in range(10)]))


def test_rows_by_number(ten: Dataset) -> None:
    again = open_dataset(ten.folder)
    assert again == ten
    assert [again.row(i) for i in (9, 0, np.int64(4))] == [
        Text("row 9 행"),
        Text("row 0 행"),
        Text("row 4 행"),
    ]
    for i in (-1, 10):
        with pytest.raises(IndexError):
            ten.row(i)
    assert ten.hash == hashlib.sha256((ten.folder / "rows.jsonl").read_bytes()).hexdigest()


def test_a_split_is_the_same_for_the_same_seed(ten: Dataset) -> None:
    train, held = ten.split(7, 0.3)
    assert (list(train), list(held)) == ([0, 1, 2, 5, 7, 8, 9], [3, 4, 6])  # kept for good
    assert [list(part) for part in ten.split(7, 0.3)] == [list(train), list(held)]
    assert list(ten.split(8, 0.3)[1]) != list(held)


@pytest.mark.parametrize(("share", "held"), [(0.0, 0), (0.001, 1), (0.5, 5), (0.99, 9)])
def test_each_side_has_a_row(ten: Dataset, share: float, held: int) -> None:
    train, measured = ten.split(0, share)
    assert len(measured) == held
    assert sorted([*train, *measured]) == list(range(10))


def test_one_row_is_trained_on(tmp_path: Path) -> None:
    train, held = given(tmp_path, "one.jsonl", '{"text":"a"}').split(0, 0.5)
    assert (list(train), list(held)) == ([0], [])


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none(ten: Dataset, share: float) -> None:
    with pytest.raises(Invalid):
        ten.split(0, share)


def test_what_is_not_whole_is_said(ten: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_dataset(tmp_path)
    rows = ten.folder / "rows.jsonl"
    rows.chmod(0o644)
    rows.write_bytes(rows.read_bytes()[:-5])
    with pytest.raises(DataError, match="no whole data set"):
        open_dataset(ten.folder)


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "write":
        monkeypatch.setattr(storing._Numbers, "flush", full)
    elif step == "fsync":
        monkeypatch.setattr(storing, "sync", full)
    else:
        monkeypatch.setattr(storing.Path, "rename", full)
    with pytest.raises(NotKept, match="No space left"):
        given(tmp_path, "a.jsonl", '{"text":"a"}')
    monkeypatch.undo()
    assert list((tmp_path / "datasets").iterdir()) == []
    assert given(tmp_path, "a.jsonl", '{"text":"a"}').rows == 1


def test_what_a_killed_process_left_is_cleared_away(ten: Dataset, tmp_path: Path) -> None:
    left = tmp_path / "datasets" / f"{storing.STAGE}{2**22 + 1}-x"  # above the largest process id
    mine = tmp_path / "datasets" / f"{storing.STAGE}{os.getpid()}-x"
    for folder in (left, mine):
        folder.mkdir()
    storing.forget_unfinished(tmp_path / "datasets")
    assert (left.exists(), mine.exists()) == (False, True)
    assert ten.folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["jsonl", "json", "csv", "txt"])
def test_a_large_file_does_not_fill_the_memory(tmp_path: Path, shape: str) -> None:
    size, words = (
        64 << 20,
        "All happy families are alike; each unhappy family is unhappy in its own way. " * 13,
    )
    file = tmp_path / f"large.{shape}"
    with file.open("w") as out:
        out.write({"json": "[", "csv": "id,text\n"}.get(shape, ""))
        for i in range(size // 1000):
            record = {
                "jsonl": f'{{"text":"{i} {words}"}}\n',
                "csv": f'{i},"{words}"\n',
                "txt": f"{i} {words}\n\n",
            }
            out.write(record.get(shape, f'{"," if i else ""}{{"text":"{i} {words}"}}'))
        out.write("]" if shape == "json" else "")
    code = (
        "import re, sys; from pathlib import Path; from imfine.core.data.ingest import ingest\n"
        "*_, d = ingest([Path(sys.argv[1])], Path(sys.argv[2]))\n"
        "print(d.rows, *re.findall(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), str(tmp_path / "datasets")],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, peak_kib = map(int, done.stdout.split())
    assert file.stat().st_size > size * 0.99
    assert rows >= size // 1000
    assert peak_kib < 100 << 10, f"{peak_kib >> 10} MiB"


def test_dataset_json_says_all_of_it(ten: Dataset) -> None:
    about = json.loads((ten.folder / "dataset.json").read_text())
    assert {"hash": ten.hash, **about} == ten.to_json()
    assert about["bytes"] == (ten.folder / "rows.jsonl").stat().st_size


def test_reading_data_brings_no_torch(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text":"a"}')
    code = (
        "import sys; from pathlib import Path; from imfine.core.data.ingest import ingest\n"
        "from imfine.core.data import render, tokenizer\n"
        "list(ingest([Path(sys.argv[1])], Path(sys.argv[2])))\n"
        "print({'torch', 'transformers', 'pandas', 'datasets'} & sys.modules.keys())"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "a.jsonl"), str(tmp_path / "d")]
    assert subprocess.check_output(words, text=True).strip() == "set()"


def test_the_same_data_stored_at_once_by_two(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text":"a"}')
    first = stored(tmp_path / "a.jsonl", tmp_path)
    assert stored(tmp_path / "a.jsonl", tmp_path) == first
    assert len(list((tmp_path / "datasets").iterdir())) == 1
