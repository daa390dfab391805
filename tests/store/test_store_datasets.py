"""Data sets: put once, newest first, taken away; which run still needs one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from store_runs import put_run

from imfine.store import datasets
from imfine.store.engine import Store
from imfine.store.migrate import migrate

A, B = "a" * 64, "b" * 64


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    migrate(store.engine)
    yield store
    store.close()


def about(id: str, **more: Any) -> dict[str, Any]:
    facts = {"format": "text", "rows": 2, "bytes": 1 << 40, "columns": {}, "findings": [], "sizes": None}
    return {"hash": id, "name": "글 😀.txt", "kind": "text", **facts, **more}


def test_a_data_set_is_put_once_and_taken_away(store: Store) -> None:
    with store.write() as connection:
        datasets.put(connection, about(A), 1000)
        datasets.put(connection, about(B, rows=7), 2000)
        datasets.put(connection, about(A, name="another"), 3000)
    with store.read() as connection:
        assert [each["id"] for each in datasets.every(connection)] == [B, A]
        found = datasets.get(connection, A)
        assert datasets.get(connection, "c" * 64) is None
    assert found is not None
    assert (found["name"], found["bytes"], found["created_at"]) == (
        "글 😀.txt",
        1 << 40,
        "1970-01-01T00:00:01.000Z",
    )
    with store.write() as connection:
        datasets.remove(connection, A)
    with store.read() as connection:
        assert [each["id"] for each in datasets.every(connection)] == [B]


@pytest.mark.parametrize(
    ("kind", "state", "request_", "used"),
    [
        ("train", "queued", f'{{"data":"{A}"}}', True),
        ("train", "running", f'{{"data":["{B}","{A}"]}}', True),
        ("train", "succeeded", f'{{"data":"{A}"}}', False),
        ("train", "cancelled", f'{{"data":"{A}"}}', False),
        ("train", "running", f'{{"data":"{B}"}}', False),
        ("generate", "running", f'{{"prompt":"{A}"}}', False),
    ],
)
def test_which_run_needs_it(store: Store, kind: str, state: str, request_: str, used: bool) -> None:
    put_run(store, "0" * 26, kind, state, request_)
    with store.read() as connection:
        assert datasets.user_of(connection, A) == ("0" * 26 if used else None)
