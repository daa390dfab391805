"""Files of runs: uploaded whole or not at all, by the attempt that has the run, served by their hash."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import PNG, WORKER_TOKEN, Queue, Running, Worker, ask, picture, until
from starlette.testclient import TestClient

from imfine.server import artifacts, uploads
from imfine.server.context import Context
from imfine.settings import Settings
from imfine.store import artifacts as store

SHA256 = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
def run(client: TestClient, worker: Worker) -> str:
    """One that `worker` has, attempt 1."""
    run: str = client.post("/api/runs", json=ask()).json()["id"]
    worker.claim(run)
    return run


def files(context: Context) -> list[str]:
    root = context.artifacts.root
    return sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.is_file())


def kept(context: Context, run: str) -> set[str]:
    with context.store.read() as connection:
        return store.among(connection, run, [SHA256])


def test_a_picture_is_uploaded_told_and_served(
    client: TestClient, worker: Worker, context: Context, run: str
) -> None:
    for _ in range(3):
        assert worker.upload(run).status_code == 200
    assert files(context) == [f"{SHA256[:2]}/{SHA256}.png"]
    assert kept(context, run) == {SHA256}
    assert worker.events(run, 1, picture()).status_code == 200
    answer = client.get(picture()["url"])
    assert answer.status_code == 200
    assert answer.content == PNG
    headers = answer.headers
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert headers["content-disposition"] == f'inline; filename="{SHA256}.png"'
    assert headers["x-content-type-options"] == "nosniff"


def test_two_runs_may_make_the_same_picture(
    client: TestClient, worker: Worker, context: Context, run: str
) -> None:
    other = client.post("/api/runs", json=ask()).json()["id"]
    worker.claim(other)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(worker.upload, [run, other] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert files(context) == [f"{SHA256[:2]}/{SHA256}.png"]
    assert kept(context, run) == kept(context, other) == {SHA256}


def test_a_picture_is_told_only_when_it_is_there(worker: Worker, run: str) -> None:
    refused = worker.events(run, 1, picture())
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "events.0.sha256"
    odd = picture() | {"sha256": [1]}
    assert worker.events(run, 1, odd).status_code == 422
    assert worker.finish(run, 1, events=[picture()]).status_code == 422


def test_only_the_attempt_that_has_the_run_may_upload(
    client: TestClient, worker: Worker, context: Context, run: str
) -> None:
    Worker(client, "worker-2").claim(run, redelivered=True)
    assert worker.upload(run).status_code == 409
    assert worker.upload(run, attempt=3).status_code == 409
    assert worker.upload("0" * 26).status_code == 409
    assert files(context) == []
    assert worker.upload(run, attempt=2).status_code == 200
    worker.finish(run, 1, attempt=2)
    assert worker.upload(run, attempt=2).status_code == 409


def test_an_attempt_that_ends_during_its_upload_leaves_nothing(
    client: TestClient, worker: Worker, context: Context, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = artifacts.Upload.close

    def overtaken(self: artifacts.Upload) -> None:
        close(self)
        assert Worker(client, "worker-2").claim(run, redelivered=True).status_code == 200

    monkeypatch.setattr(artifacts.Upload, "close", overtaken)
    assert worker.upload(run).status_code == 409
    assert files(context) == []
    assert kept(context, run) == set()


@pytest.mark.parametrize(
    ("data", "sha256", "field"),
    [
        (PNG, "0" * 64, "sha256"),
        (PNG[:-1], SHA256, "sha256"),
        (PNG, SHA256.upper(), "sha256"),
        (PNG, SHA256[:-1], "sha256"),
        (PNG, SHA256 + "%0A", "sha256"),
        (PNG, "." * 64, "sha256"),
        (b"", None, "body"),
        (b"\x89PNG", None, "body"),
        (b"GIF89a", None, "body"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None, "body"),
    ],
)
def test_what_is_not_the_picture_that_was_announced(
    worker: Worker, context: Context, run: str, data: bytes, sha256: str | None, field: str
) -> None:
    answer = worker.upload(run, data, sha256=sha256)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert files(context) == []


@pytest.mark.parametrize("attempt", ["", "0", "-1", "x", str(2**63), "1&attempt="])
def test_an_attempt_that_is_none(client: TestClient, worker: Worker, run: str, attempt: str) -> None:
    path = f"/api/worker/runs/{run}/artifacts/{SHA256}?attempt={attempt}"
    assert client.put(path, content=PNG, headers=worker.headers).status_code == 422


def test_a_file_over_the_limit(
    client: TestClient, worker: Worker, context: Context, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "MAX_FILE", len(PNG) - 1)
    monkeypatch.setattr("imfine.server.routes.worker.MAX_FILE", len(PNG) - 1)
    assert worker.upload(run).status_code == 413
    path = f"/api/worker/runs/{run}/artifacts/{SHA256}?attempt=1"
    parts = iter([PNG[:20], PNG[20:]])  # chunked: its size is not announced
    assert client.put(path, content=parts, headers=worker.headers).status_code == 413
    assert files(context) == []


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_is_said_and_leaves_nothing(
    client: TestClient,
    worker: Worker,
    context: Context,
    run: str,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "write":
        opened = os.fdopen
        monkeypatch.setattr(artifacts.os, "fdopen", lambda *args: Full(opened(*args)))
    elif step == "fsync":
        monkeypatch.setattr(artifacts.os, "fsync", full)
    else:
        monkeypatch.setattr(artifacts.Path, "replace", full)
    answer = worker.upload(run)
    assert answer.status_code == 507
    told = answer.json()["error"]
    assert told["code"] == "not_kept"
    assert "No space left" in told["message"]
    monkeypatch.undo()
    assert files(context) == []
    assert kept(context, run) == set()
    assert worker.upload(run).status_code == 200


class Full:
    """A file on a disk that has no room."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, _part: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("0" * 64 + ".png", 404),
        ("A" * 64 + ".png", 422),
        ("0" * 63 + ".png", 422),
        ("x.png", 422),
        ("..%2f..%2ftoken.png", 404),
        ("%2e%2e%2f%2e%2e%2ftoken", 404),
        ("../../token", 404),
        ("0" * 64, 404),
        ("0" * 64 + ".svg", 404),
        ("0" * 64 + "%0a.png", 422),
        ("0" * 64 + "%00.png", 422),
        (".png", 404),
    ],
)
def test_strange_names_lead_nowhere(client: TestClient, name: str, status: int) -> None:
    assert client.get(f"/api/artifacts/{name}").status_code == status


def test_an_upload_that_is_cut_off_leaves_nothing(running: Running) -> None:
    worker = Worker(running.http)
    run = running.http.post("/api/runs", json=ask()).json()["id"]
    worker.claim(run)
    root = running.server.context.artifacts.root
    with socket.create_connection(("127.0.0.1", running.port)) as sender:
        head = (
            f"PUT /api/worker/runs/{run}/artifacts/{SHA256}?attempt=1 HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{running.port}\r\nAuthorization: Bearer {WORKER_TOKEN}\r\n"
            f"Content-Length: {len(PNG)}\r\n\r\n"
        )
        sender.sendall(head.encode() + PNG[:30])
        until(lambda: list(root.glob("*")))
    until(lambda: not list(root.glob("*")))
    assert worker.upload(run).status_code == 200


def test_large_pictures_at_once_do_not_hold_up_the_others(running: Running) -> None:
    worker = Worker(running.http)
    run = running.http.post("/api/runs", json=ask()).json()["id"]
    worker.claim(run)
    large = [PNG + bytes([i]) * (8 << 20) for i in range(4)]
    threads = [threading.Thread(target=worker.upload, args=(run, data)) for data in large]
    for thread in threads:
        thread.start()
    assert running.http.get("/api/runs").status_code == 200
    for thread in threads:
        thread.join()
    for data in large:
        name = hashlib.sha256(data).hexdigest()
        assert running.http.get(f"/api/artifacts/{name}.png").content == data


def test_what_a_killed_server_left_is_cleared_away(settings: Settings, queue: Queue) -> None:
    root: Path = settings.home / "artifacts"
    (root / "ab").mkdir(parents=True)
    left = root / f"{uploads.PREFIX}x"
    left.write_bytes(PNG[:20])
    whole = root / "ab" / f"{SHA256}.png"
    whole.write_bytes(PNG)
    running = Running(settings, queue)
    running.stop()
    assert not left.exists()
    assert whole.exists()
