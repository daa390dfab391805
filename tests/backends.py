"""RabbitMQ and MariaDB as the tests use them: queues and a database of their own, gone afterwards.

IMFINE_BROKER_URL and IMFINE_DATABASE_URL say where they are; by default on this machine. One that is missing
fails the tests that asked for it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import kombu
from sqlalchemy import create_engine, make_url, text

from imfine.jobs import names

# Taken out of the environment: a test that wants the embedded ones must not find others there.
MARIADB = os.environ.pop("IMFINE_DATABASE_URL", "mysql+pymysql://root@127.0.0.1:3306")
RABBITMQ = os.environ.pop("IMFINE_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")


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
    at = make_url(MARIADB).set(database="")  # None would leave the one it names
    engine = create_engine(at, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield at.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        engine.dispose()
