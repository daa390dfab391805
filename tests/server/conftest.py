"""An app on a home of its own, a server on a port of its own; on the database that `database_url` gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from serving import TOKEN, WORKER_TOKEN, Queue, Running, Worker, write_model
from starlette.testclient import TestClient

from imfine.server.app import create_app
from imfine.server.context import Context
from imfine.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    home = tmp_path / "home"
    write_model(home / "models" / "tiny")
    return Settings(
        home=home,
        token=TOKEN,
        worker_token=WORKER_TOKEN,
        database_url=database_url,
        lease_s=60.0,  # these workers have no heart: on a busy machine they would lose their runs
    )


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def app(settings: Settings, queue: Queue, tmp_path: Path) -> FastAPI:
    return create_app(settings, queue, dist=tmp_path / "dist")


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, base_url="http://127.0.0.1:7878", headers=headers) as client:
        yield client


@pytest.fixture
def context(app: FastAPI) -> Context:
    found: Context = app.state.context
    return found


@pytest.fixture
def worker(client: TestClient) -> Worker:
    return Worker(client)


@pytest.fixture
def running(settings: Settings, queue: Queue) -> Iterator[Running]:
    running = Running(settings, queue)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """For what never reaches the database: one app for a whole file, embedded."""
    at = tmp_path_factory.mktemp("shared")
    write_model(at / "home" / "models" / "tiny")
    settings = Settings(home=at / "home", token=TOKEN, worker_token=WORKER_TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HUB_CACHE", str(at / "hub"))
        app = create_app(settings, Queue(), dist=at / "dist")
        with TestClient(app, base_url="http://127.0.0.1:7878", headers=headers) as client:
            yield client
