"""Whatever bytes come: a data set, or an error of ours. Never another exception, never a file left behind."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from given import jsonl, picture, stored, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from imfine.core.data.dataset import Dataset
from imfine.core.data.render import preview
from imfine.errors import ImfineError

NAMES = st.sampled_from(["d.jsonl", "d.json", "d.csv", "d.tsv", "d.parquet", "d.txt", "d.zip", "d.png", "d"])
KEYS = st.sampled_from(
    [
        "messages",
        "conversations",
        "role",
        "content",
        "from",
        "value",
        "prompt",
        "completion",
        "text",
        "input",
        "instruction",
        "output",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "assistant"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.lists(st.dictionaries(KEYS, JSON, max_size=4) | JSON, min_size=1, max_size=4)
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def attempt(path: Path, home: Path) -> tuple[Dataset | None, ImfineError | None]:
    try:
        return stored(path, home), None
    except ImfineError as error:
        return None, error


def read(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / name).write_bytes(data)
        dataset, error = attempt(folder / name, folder)
        if error is not None:
            json.dumps(error.to_json(), allow_nan=False).encode()
            assert error.status < 500
            assert list(folder.glob("datasets/*")) == []
        if dataset is not None:
            json.dumps(dataset.to_json()).encode()
            json.dumps(preview(dataset, None, 3)).encode()
            assert [dataset.row(i) for i in range(dataset.rows)]
        assert {path.name for path in folder.iterdir()} <= {name, "datasets"}


@FEW
@given(NAMES, st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes) -> None:
    read(name, data)


@FEW
@given(
    NAMES,
    st.text(alphabet='{}[]",;|\t\r\n:0ae\\ud\ufeff아🎉\0 ', max_size=200),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_any_text(name: str, text: str, encoding: str) -> None:
    read(name, text.encode(encoding))


@FEW
@given(NAMES, RECORDS, st.booleans())
def test_any_records(name: str, records: list[Any], as_list: bool) -> None:
    read(name, (json.dumps(records) if as_list else jsonl_ascii(records)).encode())


def jsonl_ascii(records: list[Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table() -> bytes:
    out = pa.BufferOutputStream()
    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]] * 3
    parquet.write_table(
        pa.table({"prompt": ["a", "b", None], "completion": ["c", "d", "e"], "more": turns}), out
    )
    return bytes(out.getvalue().to_pybytes())


WHOLE = {
    "d.zip": zipped(
        {"a.png": picture(), "a.txt": "x", "metadata.jsonl": jsonl([{"file_name": "a.png", "text": "y"}])}
    ),
    "e.zip": zipped({"a.jsonl": jsonl([{"text": "a"}] * 50), "b.jsonl": jsonl([{"text": "b"}])}),
    "d.parquet": table(),
    "d.png": picture(),
    "d.jpg": picture(form="JPEG"),
    "d.webp": picture(form="WEBP"),
    "d.csv": b'prompt,completion\n"a ""b""",c\nd,"e\nf"\n',
    "d.json": b'[{"text":"a"}, {"text":"b"}]',
}


@settings(FEW, max_examples=400)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_whole_files_with_bytes_changed(name: str, draw: st.DataObject) -> None:
    data = bytearray(WHOLE[name])
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    read(name, bytes(data[: draw.draw(st.integers(len(data) // 2, len(data)))]))
