"""The tables. Times are milliseconds since 1970 (UTC); JSON is kept as the text that was written.

Small columns come first: SQLite then reads a row's head without the long texts behind it. On MySQL everything
is utf8mb4 and compared bytewise, so that ids and keys which differ in case stay different.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

Long = Text().with_variant(LONGTEXT, "mysql", "mariadb")
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String(26), primary_key=True),  # sorts by the time it was made
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("queue", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("model", String(500), nullable=False),
    Column("page", String(64)),
    Column("attempt", Integer, nullable=False, default=0),
    Column("lost", Integer, nullable=False, default=0),  # attempts whose worker vanished
    Column("seq", Integer, nullable=False, default=0),  # the last report taken of this attempt
    Column("cancel", Boolean, nullable=False, default=False),
    Column("save", Boolean, nullable=False, default=False),  # stop, and keep what there is
    Column("pause", Boolean, nullable=False, default=False),  # stop, and leave what it takes to go on
    Column("worker", String(200)),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("finished_ms", BigInteger),
    Column("recipe_hash", String(64), nullable=False),
    Column("excerpt", String(200), nullable=False),  # the prompt's beginning, for lists
    Column("phase", Text),
    Column("error", Long),
    Column("recipe", Long, nullable=False),
    Column("search", Long, nullable=False),  # id, name, model and prompt, case-folded
    Column("request", Long, nullable=False),
    Column("result", Long),
    Index("runs_state", "state", "id", "queue"),
    **MYSQL,
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("run_id", String(26), ForeignKey("runs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("type", String(16), nullable=False),
    Column("data", Long, nullable=False),  # the event as the stream sends it
    Index("events_run", "run_id", "id"),
    **MYSQL,
)

keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("run_id", String(26), ForeignKey("runs.id"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("idempotency_keys_created", "created_ms"),
    **MYSQL,
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", String(26), ForeignKey("runs.id"), primary_key=True),
    Column("sha256", String(64), primary_key=True),  # of the file, which lies under this name in the home
    Column("size", BigInteger, nullable=False),  # bytes
    Column("created_ms", BigInteger, nullable=False),
    **MYSQL,
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", String(64), primary_key=True),  # sha256 of its rows, which lie under this name in the home
    Column("name", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("about", Long, nullable=False),  # format, rows, bytes, columns, findings, as JSON
    **MYSQL,
)
