"""What tests of several parts need: databases and brokers of their own.

`--backend=services` runs those tests that touch a database or a broker once more, on MariaDB and RabbitMQ
(IMFINE_DATABASE_URL and IMFINE_BROKER_URL say where; by default on this machine), and no others.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import kombu
import pytest
from sqlalchemy import create_engine, make_url, text

from imfine.jobs import names

# Taken out of the environment: a test that wants the embedded ones must not find others there.
MARIADB = os.environ.pop("IMFINE_DATABASE_URL", "mysql+pymysql://root@127.0.0.1:3306")
RABBITMQ = os.environ.pop("IMFINE_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=("embedded", "services"), default="embedded")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--backend") != "services":
        return
    on_services = [
        item
        for item in items
        if {"database_url", "backend", "shared_backend"} & set(getattr(item, "fixturenames", ()))
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in on_services])
    items[:] = on_services


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database. A MariaDB that is asked for and not there fails the test: it is never skipped."""
    if request.config.getoption("--backend") != "services":
        yield f"sqlite:///{tmp_path / 'imfine.db'}"
        return
    with mariadb() as url:
        yield url


@dataclass
class Backend:
    """Broker and database, as the settings name them. None: the embedded ones."""

    broker_url: str | None = None
    database_url: str | None = None
    queue_prefix: str = ""

    @property
    def services(self) -> bool:
        return self.broker_url is not None

    def environment(self) -> dict[str, str]:
        if self.broker_url is None or self.database_url is None:
            return {}
        return {
            "IMFINE_BROKER_URL": self.broker_url,
            "IMFINE_DATABASE_URL": self.database_url,
            "IMFINE_QUEUE_PREFIX": self.queue_prefix,
        }


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Embedded, or queues and a database of the test's own on the services."""
    if request.config.getoption("--backend") != "services":
        yield Backend()
        return
    with services() as found:
        yield found


@pytest.fixture(scope="module")
def shared_backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.config.getoption("--backend") != "services":
        yield Backend()
        return
    with services() as found:
        yield found


@contextmanager
def services() -> Iterator[Backend]:
    prefix = f"test-{uuid.uuid4().hex[:12]}."
    with mariadb() as url:
        try:
            yield Backend(RABBITMQ, url, prefix)
        finally:
            with kombu.Connection(RABBITMQ) as connection:
                for queue in names.QUEUES:
                    connection.default_channel.queue_delete(f"{prefix}{queue}")


@contextmanager
def mariadb() -> Iterator[str]:
    name = f"imfine_test_{uuid.uuid4().hex[:12]}"
    at = make_url(MARIADB).set(database=None)
    engine = create_engine(at, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield at.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()
