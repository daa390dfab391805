"""Claims, attempts, reports, leases: what a worker may and may not do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from serving import LAYERS, WORKER_TOKEN, Queue, Worker, ask, tokens, until
from starlette.testclient import TestClient

from imfine.server.context import Context
from imfine.settings import Settings
from imfine.store import events
from imfine.store.events import Wants


def submit(client: TestClient, **more: Any) -> str:
    run: str = client.post("/api/runs", json=ask(**more)).json()["id"]
    return run


def show(client: TestClient, run: str) -> Any:
    return client.get(f"/api/runs/{run}").json()


def log(context: Context, run: str) -> list[str]:
    with context.store.read() as connection:
        return [event.type for event in events.after(connection, Wants(run=run), 0, 1000)]


def test_a_run_goes_through(client: TestClient, worker: Worker, context: Context) -> None:
    run = submit(client, recipe={"bands": {"mlp": [1.5] * LAYERS}})
    terms = worker.hello().json()
    assert terms["lease_s"] == 60.0
    assert terms["heartbeat_s"] == 1.0
    claim = worker.claim(run).json()
    assert claim["attempt"] == 1
    assert claim["request"]["lanes"][1]["recipe"] == {"bands": {"mlp": [1.5] * LAYERS}}
    phase = {"type": "phase", "phase": "loading", "done": 1, "total": 2, "unit": "bytes"}
    assert worker.events(run, 1, phase).json() == {"cancel": False}
    assert show(client, run)["phase"] == {"phase": "loading", "done": 1, "total": 2, "unit": "bytes"}
    worker.events(run, 2, tokens(0, "a\0😀"), tokens(1))
    assert client.get("/api/workers").json()["items"][0]["runs"] == [run]
    worker.finish(run, 3, result={"model": "tiny", "lanes": []})
    done = show(client, run)
    assert done["state"] == "succeeded"
    assert done["result"] == {"type": "result", "model": "tiny", "lanes": []}
    assert done["phase"] is None
    assert done["worker"] == worker.name
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert log(context, run) == ["state", "state", "phase", "tokens", "tokens", "result", "state"]


def test_a_failed_run_says_why(client: TestClient, worker: Worker) -> None:
    run = submit(client)
    worker.claim(run)
    error = {"code": "model_broken", "message": "cut off", "remedy": "fetch it again", "field": None}
    worker.finish(run, 1, "failed", error=error | {"value": None, "params": {}})
    assert show(client, run)["error"]["code"] == "model_broken"
    assert client.get("/api/runs?state=failed").json()["items"][0]["error"]["message"] == "cut off"


def test_a_worker_may_ask_what_a_run_is_before_it_claims_it(client: TestClient, worker: Worker) -> None:
    run = submit(client)
    assert worker.http.get(f"/api/worker/runs/{run}", headers=worker.headers).json() == {"kind": "generate"}
    assert client.get(f"/api/runs/{run}").json()["state"] == "queued"
    assert worker.http.get(f"/api/worker/runs/{'0' * 26}", headers=worker.headers).status_code == 404
    assert client.get(f"/api/worker/runs/{run}", headers={"Authorization": ""}).status_code == 401


def test_one_claim_of_many(client: TestClient) -> None:
    run = submit(client)

    def claim(i: int) -> int:
        status: int = Worker(client, f"w{i}").claim(run).status_code
        return status

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(claim, range(16))) == [200] + [409] * 15


def test_a_repeat_is_acknowledged_not_appended(client: TestClient, worker: Worker, context: Context) -> None:
    run = submit(client)
    worker.claim(run)
    for _ in range(3):
        assert worker.events(run, 1, tokens(0)).json() == {"cancel": False}
    assert worker.events(run, 3, tokens(2)).status_code == 422  # report 2 is missing
    worker.events(run, 2, tokens(1))
    for _ in range(3):
        assert worker.finish(run, 3, events=[tokens(2)], result={"model": "tiny"}).status_code == 200
    assert log(context, run) == ["state", "state", "tokens", "tokens", "tokens", "result", "state"]


def test_a_message_delivered_again_takes_over_at_once(
    client: TestClient, worker: Worker, context: Context
) -> None:
    run = submit(client)
    worker.claim(run)
    worker.events(run, 1, tokens(0))
    other = Worker(client, "worker-2")
    assert other.claim(run).status_code == 409
    assert other.claim(run, redelivered=True).json()["attempt"] == 2
    for answer in (
        worker.events(run, 2, tokens(1)),
        worker.heartbeat(run),
        worker.finish(run, 2),
        worker.release(run),
    ):
        assert answer.status_code == 409
    other.events(run, 1, tokens(0), attempt=2)
    other.finish(run, 2, attempt=2)
    assert log(context, run) == ["state", "state", "tokens", "restart", "state", "tokens", "state"]
    assert worker.finish(run, 2).status_code == 409
    assert show(client, run)["worker"] == "worker-2"


def test_a_run_that_kills_its_workers_is_given_up(client: TestClient, worker: Worker) -> None:
    run = submit(client)
    for attempt in (1, 2, 3):
        assert worker.claim(run, redelivered=attempt > 1).json()["attempt"] == attempt
    assert worker.claim(run, redelivered=True).status_code == 409
    failed = show(client, run)
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "worker_lost"
    assert failed["error"]["params"] == {"worker": worker.name, "times": 3}


def test_a_released_run_waits_again_and_is_not_held_against(
    client: TestClient, worker: Worker, queue: Queue
) -> None:
    run = submit(client)
    for attempt in range(1, 6):
        assert worker.claim(run).json()["attempt"] == attempt
        assert worker.release(run, attempt).status_code == 200
        assert show(client, run)["state"] == "queued"
        assert worker.events(run, 1, tokens(0), attempt=attempt).status_code == 409
        until(lambda sent=attempt + 1: queue.times(run) >= sent)
    client.post(f"/api/runs/{run}/cancel")
    assert worker.claim(run).status_code == 409


def test_what_a_worker_sends_is_checked(client: TestClient, worker: Worker) -> None:
    run = submit(client)
    worker.claim(run)
    assert worker.events(run, 1, {"type": "state", "state": "failed"}).status_code == 422
    assert worker.events(run, 0).status_code == 422
    assert worker.post(f"runs/{run}/events", attempt=1, seq=1, events=[], more=1).status_code == 422
    body = '{"attempt": 1, "seq": 1, "events": [{"type": "measures", "distinct_1": NaN}]}'
    headers = {"Authorization": f"Bearer {WORKER_TOKEN}", "Content-Type": "application/json"}
    answer = client.post(f"/api/worker/runs/{run}/events", content=body, headers=headers)
    assert answer.json()["error"]["field"] == "events.0.distinct_1"
    assert worker.claim("nope").status_code == 409


class TestLeases:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"lease_s": 1.5, "max_attempts": 2})

    def test_a_silent_worker_loses_its_run(self, client: TestClient, worker: Worker, queue: Queue) -> None:
        run = submit(client)
        worker.claim(run)
        until(lambda: show(client, run)["state"] == "queued")
        until(lambda: queue.times(run) == 2)
        assert worker.heartbeat(run).status_code == 409  # it wakes
        assert worker.events(run, 1, tokens(0)).status_code == 409
        other = Worker(client, "worker-2")
        assert other.claim(run).json()["attempt"] == 2
        until(lambda: show(client, run)["state"] == "failed")
        assert "2 times" in show(client, run)["error"]["message"]

    def test_a_heartbeat_keeps_it(self, client: TestClient, worker: Worker) -> None:
        run = submit(client)
        worker.claim(run)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert worker.heartbeat(run).status_code == 200
            time.sleep(0.1)
        assert show(client, run)["state"] == "running"

    def test_a_cancelled_run_whose_worker_is_gone_ends(self, client: TestClient, worker: Worker) -> None:
        run = submit(client)
        worker.claim(run)
        client.post(f"/api/runs/{run}/cancel")
        until(lambda: show(client, run)["state"] == "cancelled")


def test_tokens_open_their_own_doors_only(client: TestClient, worker: Worker) -> None:
    run = submit(client)
    assert client.post("/api/worker/hello", json={}).status_code == 401  # the user's token
    assert client.get(f"/api/runs/{run}", headers=worker.headers).status_code == 401
