"""The data sets: their names and what is told of them. The rows themselves lie in the home. Knows no file."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from imfine.store.runs import iso
from imfine.store.tables import datasets, runs


def put(connection: Connection, about: dict[str, Any], now_ms: int) -> None:
    """Only inside `Store.write()`. `about` as core tells of a data set; one that is there stays as it is."""
    if get(connection, about["hash"]) is None:
        kept = {key: about[key] for key in about if key not in ("hash", "name", "kind")}
        connection.execute(
            insert(datasets).values(
                id=about["hash"],
                name=about["name"],
                kind=about["kind"],
                created_ms=now_ms,
                about=json.dumps(kept, ensure_ascii=False, separators=(",", ":")),
            )
        )


def get(connection: Connection, id: str) -> dict[str, Any] | None:
    """As the API's `Dataset`."""
    row = connection.execute(select(datasets).where(datasets.c.id == id)).first()
    return to_json(row) if row else None


def every(connection: Connection) -> list[dict[str, Any]]:
    """Newest first."""
    rows = connection.execute(select(datasets).order_by(datasets.c.created_ms.desc(), datasets.c.id))
    return [to_json(row) for row in rows]


def remove(connection: Connection, id: str) -> None:
    connection.execute(delete(datasets).where(datasets.c.id == id))


def user_of(connection: Connection, id: str) -> str | None:
    """A run that trains on this data set or measures with it, or will: its request names it."""
    return connection.scalar(
        select(runs.c.id)
        .where(
            runs.c.kind.in_(("train", "probe")),
            runs.c.state.in_(("queued", "running")),
            runs.c.request.contains(id),
        )
        .limit(1)
    )


def to_json(row: Any) -> dict[str, Any]:
    named = {"id": row.id, "name": row.name, "kind": row.kind, "created_at": iso(row.created_ms)}
    return {**named, **json.loads(row.about)}
