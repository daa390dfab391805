"""Which files a run has made; and a database from before there were any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from store_runs import put_run

from imfine.store import artifacts, runs
from imfine.store.engine import Store
from imfine.store.migrate import MIGRATIONS, migrate

A, B = "a" * 64, "b" * 64


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


def test_a_runs_files(store: Store) -> None:
    migrate(store.engine)
    one, other = "0" * 26, "1" * 26
    put_run(store, one, "generate", "running")
    put_run(store, other, "generate", "running")
    with store.write() as connection:
        for _ in range(2):
            artifacts.put(connection, one, A, 10, 1)
        artifacts.put(connection, other, A, 10, 1)
        artifacts.put(connection, other, B, 1 << 40, 1)
    with store.read() as connection:
        assert artifacts.among(connection, one, [A, B, "c", A]) == {A}
        assert artifacts.among(connection, other, [A, B]) == {A, B}
        assert artifacts.among(connection, one, []) == set()


def test_a_file_of_no_run_is_refused(store: Store) -> None:
    migrate(store.engine)
    with pytest.raises(IntegrityError), store.write() as connection:
        artifacts.put(connection, "0" * 26, A, 10, 1)


def test_a_database_from_before_keeps_its_runs(store: Store) -> None:
    migrate(store.engine)
    put_run(store, "0" * 26, "generate", "running")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert "artifacts" not in inspect(store.engine).get_table_names()
    migrate(store.engine)
    with store.write() as connection:
        artifacts.put(connection, "0" * 26, A, 10, 1)
    with store.read() as connection:
        kept = runs.head(connection, "0" * 26)
    assert kept is not None
    assert not kept.save
