"""Data sets out of words and bytes, for the tests of this folder."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.data.rows import Row


def stored(path: Path, home: Path, **more: Any) -> Dataset:
    found = [step for step in ingest([path], home / "datasets", **more) if isinstance(step, Dataset)]
    assert len(found) == 1
    return found[0]


def given(folder: Path, name: str, data: bytes | str, **more: Any) -> Dataset:
    """The data set that a file of this name and content becomes."""
    file = folder / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return stored(file, folder, **more)


def rows(dataset: Dataset) -> list[Row]:
    return [dataset.row(i) for i in range(dataset.rows)]


def codes(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in dataset.findings}


def jsonl(records: Sequence[Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return out.getvalue()


def picture(size: tuple[int, int] = (8, 6), colour: int = 0, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (colour, 0, 0)).save(out, form)
    return out.getvalue()
