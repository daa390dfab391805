"""The engine, its migrations and its one writer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, select, text

from imfine.errors import SetupError, Unavailable
from imfine.store.engine import Store, make_engine, sole_server
from imfine.store.migrate import migrate
from imfine.store.tables import metadata, runs


def test_migrations_make_the_tables_that_the_code_names(database_url: str) -> None:
    store = Store(database_url)
    migrate(store.engine)
    migrate(store.engine)
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        indexes = {index["name"] for index in inspect(connection).get_indexes("runs")}
        assert indexes == {"runs_state"}
    store.close()


def test_sqlite_is_set_up_for_one_writer_and_many_readers(tmp_path: Path) -> None:
    with make_engine(f"sqlite:///{tmp_path / 'deep' / 'down' / 'x.db'}").connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000, "foreign_keys": 1}


def test_other_databases_are_refused() -> None:
    with pytest.raises(SetupError, match="postgresql"):
        make_engine("postgresql://localhost/x")


def test_a_database_that_is_away_is_unavailable() -> None:
    store = Store("mysql://root@127.0.0.1:1/imfine")
    with pytest.raises(Unavailable, match="cannot be used") as caught:
        store.ping()
    assert caught.value.params == {"part": "store"}
    assert caught.value.remedy


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    with sole_server(tmp_path):
        with pytest.raises(SetupError, match=r"process \d+"), sole_server(tmp_path):
            pass
        with sole_server(tmp_path / "other"):
            pass
    with sole_server(tmp_path):
        pass


def test_writes_go_one_by_one_and_nothing_stays_of_one_that_fails(database_url: str) -> None:
    store = Store(database_url)
    migrate(store.engine)
    row = dict.fromkeys(("kind", "state", "queue", "name", "model", "recipe_hash", "excerpt"), "x")
    row |= dict.fromkeys(("recipe", "search", "request"), "{}")
    inside = 0

    def write(i: int) -> None:
        nonlocal inside
        with store.write() as connection:
            inside += 1
            assert inside == 1
            connection.execute(insert(runs).values(id=f"{i:026}", created_ms=i, **row))
            inside -= 1

    threads = [threading.Thread(target=write, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(ZeroDivisionError), store.write() as connection:  # noqa: PT012
        connection.execute(insert(runs).values(id="f" * 26, created_ms=1, **row))
        raise ZeroDivisionError
    with store.read() as connection:
        assert len(connection.execute(select(runs.c.id)).all()) == 20
    store.close()
