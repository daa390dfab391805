"""The way to the database: one writer at a time, in one process, readers beside it.

Writes of the whole process go through `Store.write()`, one after another. So an event's id, given under
that lock, becomes visible in order: a reader that saw id n will never find a smaller one later. A file lock
in the home refuses a second server. Knows no table.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from imfine.errors import SetupError, Unavailable

BUSY_MS = 5000
CONNECT_S, IO_S = 3, 20


def make_engine(database: str) -> Engine:
    """An engine for a SQLAlchemy URL; `mysql://` and `mariadb://` go through PyMySQL.

    Raises: SetupError for a database other than SQLite, MySQL and MariaDB.
    """
    url = make_url(database)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _sqlite(url)
    if backend in ("mysql", "mariadb"):
        return _mysql(url)
    raise SetupError(
        f"the database {backend!r} is not supported",
        remedy="set IMFINE_DATABASE_URL to a sqlite:// or mysql:// URL, or leave it out",
        field="database_url",
    )


def _sqlite(url: URL) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=10, max_overflow=30, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={BUSY_MS}",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _mysql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="mysql+pymysql"),
        pool_size=10,
        max_overflow=30,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_S,
            "read_timeout": IO_S,
            "write_timeout": IO_S,
            "init_command": "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        },
        isolation_level="READ COMMITTED",
    )


class Store:
    """Transactions on one database."""

    def __init__(self, database: str) -> None:
        self.engine = make_engine(database)
        self.writing = threading.RLock()  # held longer by who must tell of commits in their order

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _available(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone. Nothing of it stays when the body raises."""
        with self.writing, _available(), self.engine.begin() as connection:
            yield connection

    def ping(self) -> None:
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as reason:
        raise _away(reason) from reason
    except DBAPIError as reason:
        if not reason.connection_invalidated:
            raise
        raise _away(reason) from reason


def _away(reason: Exception) -> Unavailable:
    detail = str(getattr(reason, "orig", None) or reason)
    return Unavailable(
        f"the store cannot be used: {detail}",
        remedy="see that the database runs and its disk is not full; no restart is needed afterwards",
        part="store",
    )


@contextmanager
def sole_server(home: Path) -> Iterator[None]:
    """Holds the home for this process: two servers would hand out the same event ids.

    Raises: SetupError where another server holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "server.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as reason:
            lock.seek(0)
            raise SetupError(
                f"another I'm Fine server (process {lock.read().strip() or 'unknown'}) uses {home}",
                remedy="stop it, or give this one a home of its own with --home",
                field="home",
                value=str(home),
            ) from reason
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield
