"""A run put into a store by hand, as the tests of what hangs on runs need it."""

from __future__ import annotations

from imfine.store import runs
from imfine.store.engine import Store
from imfine.store.runs import Head


def put_run(store: Store, run_id: str, kind: str, state: str, request: str = "{}") -> None:
    texts = dict.fromkeys(("queue", "name", "model", "recipe_hash", "excerpt"), "x")
    none = dict.fromkeys(("page", "worker", "started_ms", "finished_ms", "phase", "error"))
    counts = {
        "attempt": 1,
        "lost": 0,
        "seq": 0,
        "cancel": False,
        "save": False,
        "pause": False,
        "created_ms": 1,
    }
    run = Head(**{"id": run_id, "kind": kind, "state": state, "recipe": "{}"} | texts | none | counts)
    with store.write() as connection:
        runs.put(connection, run, request, "hello")
