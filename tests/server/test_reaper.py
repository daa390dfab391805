"""What the server does by itself: hand out again, tell positions, wait for a broker or store that is away."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from serving import Queue, Worker, ask, until
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from imfine.server.app import create_app
from imfine.server.context import Context
from imfine.server.leases import Leases, Present, Workers, alive
from imfine.server.reaper import HEAD, Reaper
from imfine.settings import Settings
from imfine.store import engine, events
from imfine.store.events import Wants


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def submit(client: TestClient, **more: Any) -> str:
    run: str = client.post("/api/runs", json=ask(**more)).json()["id"]
    return run


class TestAlone:
    """The reaper ticked by hand, on a clock of its own."""

    @pytest.fixture(autouse=True)
    def stand_still(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("imfine.server.reaper.TICK_S", 3600)

    @pytest.fixture
    def reaper(self, client: TestClient, context: Context, clock: Clock) -> Reaper:
        return Reaper(context.life, context.publisher, clock)

    def test_an_unclaimed_run_is_handed_out_again_ever_more_rarely(
        self, client: TestClient, queue: Queue, reaper: Reaper, clock: Clock, worker: Worker
    ) -> None:
        run = submit(client)
        until(lambda: queue.times(run) == 1)
        for second in range(120):
            clock.now = 1000.0 + second
            reaper.tick()
            until(lambda: not reaper._publisher._pending)
        until(lambda: queue.times(run) == 7)
        worker.claim(run)
        clock.now += 100
        reaper.tick()
        reaper.tick()
        assert queue.times(run) == 7

    def test_only_the_head_of_a_queue_is_handed_out_again(
        self, client: TestClient, queue: Queue, reaper: Reaper, clock: Clock
    ) -> None:
        made = [submit(client) for _ in range(HEAD + 5)]
        until(lambda: len(queue.sent) == HEAD + 5)
        reaper.tick()
        clock.now += 2.1
        reaper.tick()
        until(lambda: len(queue.sent) == 2 * HEAD + 5)
        assert {run for run, _ in queue.sent[HEAD + 5 :]} == set(made[:HEAD])

    def test_positions_are_told_when_they_change(
        self, client: TestClient, context: Context, reaper: Reaper, worker: Worker
    ) -> None:
        made = [submit(client) for _ in range(4)]
        reaper.tick()
        worker.claim(made[0])
        client.post(f"/api/runs/{made[2]}/cancel")
        reaper.tick()
        reaper.tick()
        with context.store.read() as connection:
            log = events.after(connection, Wants(), 0, 100)
        told = [e.data for e in log if e.run_id == made[3]]
        assert len(told) == 2
        assert '"position":3' in told[0]
        assert '"position":1' in told[1]
        assert [e.run_id for e in log[-2:]] == [made[1], made[3]]

    def test_a_server_that_stood_still_judges_nobody(
        self, client: TestClient, context: Context, reaper: Reaper, clock: Clock, worker: Worker
    ) -> None:
        run = submit(client)
        worker.claim(run)
        context.leases._until[run] = 0.0  # long past
        clock.now += 60  # since the last tick
        reaper.tick()
        assert client.get(f"/api/runs/{run}").json()["state"] == "running"
        context.leases._until[run] = 0.0
        reaper.tick()
        assert client.get(f"/api/runs/{run}").json()["state"] == "queued"


def test_a_broker_that_is_away_at_submit(client: TestClient, queue: Queue, worker: Worker) -> None:
    worker.hello()
    assert client.get("/readyz").status_code == 200
    queue.away = True
    answer = client.post("/api/runs", json=ask())
    assert answer.status_code == 202
    run = answer.json()["id"]
    assert client.get(f"/api/runs/{run}").json()["state"] == "queued"
    until(lambda: client.get("/readyz").status_code == 503)
    parts = client.get("/readyz").json()
    assert (parts["broker"]["ok"], parts["store"]["ok"], parts["worker"]["ok"]) == (False, True, True)
    assert "cannot be reached" in parts["broker"]["detail"]
    queue.away = False
    until(lambda: queue.times(run) >= 1, within_s=6)
    assert client.get("/readyz").status_code == 200
    assert "imfine_publish_failures_total 1.0" in client.get("/metrics").text


def test_a_store_that_is_away_and_comes_back(
    settings: Settings, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite: another process holds the write lock. MariaDB: every connection is cut off."""
    monkeypatch.setattr(engine, "BUSY_MS", 100)
    with TestClient(create_app(settings, queue), base_url="http://localhost") as client:
        client.headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"  # type: ignore[union-attr]
        first = submit(client)
        outside = create_engine(engine.make_engine(settings.database).url, isolation_level="AUTOCOMMIT")
        with outside.connect() as connection:
            if outside.dialect.name == "sqlite":
                connection.execute(text("BEGIN EXCLUSIVE"))
                answer = client.post("/api/runs", json=ask())
                assert answer.status_code == 503
                assert answer.json()["error"]["code"] == "unavailable"
                assert "database runs" in answer.json()["error"]["remedy"]
                connection.execute(text("ROLLBACK"))
            else:
                others = "FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
                for (thread,) in connection.execute(text(f"SELECT id {others}")).all():
                    connection.execute(text(f"KILL {thread}"))
        outside.dispose()
        second = submit(client)
        assert client.get("/api/runs").json()["total"] == 2
        until(lambda: queue.times(first) and queue.times(second))


def test_after_a_restart_a_silent_worker_has_one_lease(settings: Settings, queue: Queue) -> None:
    short = settings.model_copy(update={"lease_s": 2.0})
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}  # type: ignore[union-attr]
    with TestClient(create_app(short, queue), base_url="http://localhost", headers=headers) as client:
        kept, lost = submit(client), submit(client)
        Worker(client).claim(kept)
        Worker(client).claim(lost)
    with TestClient(create_app(short, queue), base_url="http://localhost", headers=headers) as client:
        worker = Worker(client)
        assert worker.heartbeat(kept).status_code == 200

        def ended() -> bool:
            assert worker.heartbeat(kept).status_code == 200
            state: str = client.get(f"/api/runs/{lost}").json()["state"]
            return state == "queued"

        until(ended)


def test_leases_and_workers(clock: Clock) -> None:
    leases = Leases(5, clock)
    leases.renew("a")
    clock.now += 5
    assert leases.expired() == ["a"]
    assert not leases.live("a")
    leases.renew("a")
    assert leases.live("a")
    leases.end("a")
    assert leases.expired() == []
    workers = Workers(clock)
    workers.hello(Present("w", ["live"], 1, "here", "cpu", 1, [], "0"))
    clock.now += 14
    assert [alive(age) for _, age in workers.all()] == [True]
    clock.now += 2
    assert [alive(age) for _, age in workers.all()] == [False]
    workers.seen("w")
    assert [alive(age) for _, age in workers.all()] == [True]


def test_metrics_count(client: TestClient, worker: Worker, app: FastAPI) -> None:
    run = submit(client)
    worker.claim(run)
    worker.events(run, 1, {"type": "notice", "code": "x", "message": "x", "params": {}})
    text = client.get("/metrics").text
    assert 'imfine_runs{state="running"} 1.0' in text
    assert 'imfine_events_total{type="notice"} 1.0' in text
    assert 'imfine_request_seconds_count{method="POST",route="/api/runs",status="202"} 1.0' in text
    assert "imfine_streams 0.0" in text
