"""Which files a run has made. The files themselves lie in the home; here stand their names. Knows no file."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, insert, select

from imfine.store.tables import artifacts


def put(connection: Connection, run_id: str, sha256: str, size: int, now_ms: int) -> None:
    """Only inside `Store.write()`, where nobody else writes. Putting it again changes nothing."""
    if sha256 not in among(connection, run_id, [sha256]):
        connection.execute(
            insert(artifacts).values(run_id=run_id, sha256=sha256, size=size, created_ms=now_ms)
        )


def among(connection: Connection, run_id: str, sha256: Collection[str]) -> set[str]:
    """Those of the names that are files of this run."""
    found = select(artifacts.c.sha256).where(
        artifacts.c.run_id == run_id, artifacts.c.sha256.in_(sorted(set(sha256)))
    )
    return set(connection.scalars(found))
