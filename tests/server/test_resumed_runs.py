"""Runs that are paused, and those that go on with them: what is kept, told, taken and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from serving import Worker
from starlette.testclient import TestClient
from test_curves import evaluated, restart, rows, steps
from test_train_runs import data, train  # noqa: F401 - data is a fixture

from imfine.server.context import Context
from imfine.settings import Settings

ERROR = {"code": "setup", "message": "full", "remedy": "", "field": None, "value": None, "params": {}}


def keep(settings: Settings, run: str, step: int = 3) -> Path:
    """What a child leaves of a run that has not finished."""
    folder = settings.models_dir / ".mine.train"
    (folder / f"step-{step:08d}").mkdir(parents=True)
    (folder / "run").write_text(run)
    return folder


def shown(client: TestClient, run: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/runs/{run}").json()
    return found


@pytest.fixture
def paused(client: TestClient, worker: Worker, settings: Settings) -> str:
    """After five steps, the third of which is the last checkpoint."""
    run: str = train(client).json()["id"]
    worker.claim(run)
    worker.events(run, 1, evaluated(0, 3.0), steps(1, 2), steps(3, 5), evaluated(5, 2.5))
    keep(settings, run)
    client.post(f"/api/runs/{run}/pause")
    worker.finish(run, 2, state="cancelled")
    return run


def test_a_pause_reaches_the_worker_and_leaves_what_goes_on(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    run = train(client).json()["id"]
    assert client.post(f"/api/runs/{run}/pause").status_code == 409  # nothing is learned yet
    worker.claim(run)
    for _ in range(2):
        assert client.post(f"/api/runs/{run}/pause").json()["state"] == "running"
    assert worker.heartbeat(run).json() == {"cancel": False, "save": False, "pause": True}
    folder = keep(settings, run, 7)
    worker.finish(run, 1, state="cancelled")
    assert (shown(client, run)["state"], shown(client, run)["resumable"]) == ("cancelled", {"step": 7})
    assert client.post(f"/api/runs/{run}/pause").json()["state"] == "cancelled"
    assert client.post(f"/api/runs/{run}/cancel").json()["resumable"] is None
    assert not folder.exists()


def test_a_run_that_waits_again_is_paused_at_once(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    run = train(client).json()["id"]
    worker.claim(run)
    keep(settings, run)
    worker.release(run)
    answer = client.post(f"/api/runs/{run}/pause").json()
    assert (answer["state"], answer["resumable"]) == ("cancelled", {"step": 3})


def test_a_run_that_waits_again_leaves_nothing_when_it_is_cancelled(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    run = train(client).json()["id"]
    worker.claim(run)
    folder = keep(settings, run)
    worker.release(run)
    assert client.post(f"/api/runs/{run}/cancel").json()["state"] == "cancelled"
    assert not folder.exists()


def test_what_another_run_has_kept_stays(client: TestClient, worker: Worker, settings: Settings) -> None:
    run = train(client).json()["id"]
    folder = keep(settings, "of-another")
    client.post(f"/api/runs/{run}/cancel")
    assert folder.exists()
    assert shown(client, run)["resumable"] is None


def test_an_answer_cannot_be_paused(client: TestClient) -> None:
    run = client.post("/api/runs", json={"kind": "generate", "model": "tiny", "prompt": "x"}).json()["id"]
    assert client.post(f"/api/runs/{run}/pause").status_code == 409
    assert shown(client, run)["resumable"] is None
    assert client.post("/api/runs/nope/pause").status_code == 404


def test_a_run_goes_on_with_another_whose_points_it_shows(
    client: TestClient, worker: Worker, paused: str
) -> None:
    answer = train(client, resumes=paused, plan={"lr": 1e-5})
    assert answer.status_code == 202, answer.text
    run = answer.json()["id"]
    assert answer.json()["request"]["resumes"] == paused
    assert [row["step"] for row in rows(client, run)] == ["0", "1", "2", "3"]
    claim = worker.claim(run).json()
    assert (claim["attempt"], claim["request"]["resumes"]) == (1, paused)
    worker.events(run, 1, restart(3), steps(4, 5, loss=1.0))
    assert [row["loss"] for row in rows(client, run)][3:] == ["2.03", "1.04", "1.05"]
    assert [row["step"] for row in rows(client, paused)] == ["0", "1", "2", "3", "4", "5"]
    assert train(client, resumes=paused).status_code == 409  # the name is taken


def test_a_run_that_failed_is_gone_on_with(client: TestClient, worker: Worker, settings: Settings) -> None:
    run = train(client).json()["id"]
    worker.claim(run)
    keep(settings, run)
    worker.finish(run, 1, state="failed", error=ERROR)
    assert shown(client, run)["resumable"] == {"step": 3}
    assert train(client, resumes=run).status_code == 202


def test_run_again_starts_anew(client: TestClient, paused: str) -> None:
    run = train(client, resumes=paused).json()["id"]
    client.post(f"/api/runs/{run}/cancel")
    again = client.post(f"/api/runs/{run}/again").json()
    assert again["request"]["resumes"] is None


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"name": "other"}, 409, "name"),
        ({"revision": "v2"}, 409, "revision"),
        ({"plan": {"rank": 4}}, 409, "plan.rank"),
        ({"plan": {"batch": 2}}, 409, "plan.batch"),
        ({"plan": {"batch": 2, "accumulation": 2}}, 202, None),
        ({"plan": {"checkpointing": True}}, 202, None),
        ({"resumes": "0" * 26}, 404, "resumes"),
        ({"resumes": "nope"}, 422, "resumes"),
    ],
)
def test_only_what_is_the_same_run_is_gone_on_with(
    client: TestClient, paused: str, more: dict[str, Any], status: int, field: str | None
) -> None:
    answer = train(client, **{"resumes": paused, **more})
    assert answer.status_code == status, answer.text
    assert (answer.json()["error"] or {}).get("field") == field


def test_one_without_checkpoints_or_that_goes_on_is_not(
    client: TestClient, worker: Worker, settings: Settings, context: Context
) -> None:
    run = train(client).json()["id"]
    keep(settings, run)
    answer = train(client, resumes=run)
    assert (answer.status_code, answer.json()["error"]["field"]) == (409, "resumes")
    assert "goes on itself" in answer.json()["error"]["message"]
    client.post(f"/api/runs/{run}/cancel")
    answer = train(client, resumes=run)
    assert "no checkpoint" in answer.json()["error"]["message"]


def test_the_same_key_gives_the_same_run(client: TestClient) -> None:
    body = {"kind": "train", "model": "tiny", "name": "mine", "dataset": "d" * 64}
    answers = [client.post("/api/runs", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
