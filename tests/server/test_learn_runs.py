"""Runs that learn a knob: what is taken and refused, what is told, what a cancelled one leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from serving import Queue, Worker, until
from starlette.testclient import TestClient

from imfine.server.schemas import Event
from imfine.settings import Settings

RESULT = {
    "type": "slider_result",
    "delta": "smile",
    "steps": 2,
    "loss": 0.01,
    "seconds": 1.5,
    "parameters": 10,
}
SLIDER = {"plus": "smiling face", "minus": "crying face"}
STEPS = {
    "type": "train_steps",
    "steps": 2,
    "step": [1, 2],
    "loss": [0.02, 0.01],
    "lr": [1e-3, 1e-3],
    "grad_norm": [1.0, 0.5],
    "tokens": 8,
    "tokens_per_s": 4.0,
    "epoch": 0.25,
    "eta_s": 0.0,
}


def learn(client: TestClient, slider: dict[str, Any] | None = None, **more: Any) -> Any:
    body = {
        "kind": "learn",
        "model": "emoji-diffusion",
        "name": "smile",
        "slider": {**SLIDER, **(slider or {})},
    }
    return client.post("/api/runs", json={**body, **more})


def begun(client: TestClient, worker: Worker) -> str:
    run: str = learn(client).json()["id"]
    worker.claim(run)
    return run


def knob_of(run: str, settings: Settings) -> Path:
    """As a worker's child leaves it."""
    folder = settings.home / "adapters" / "smile"
    folder.mkdir(parents=True)
    numbers = {key: value for key, value in RESULT.items() if key not in ("type", "delta")}
    (folder / "imfine-train.json").write_text(json.dumps({"run": run, "numbers": numbers}))
    return folder


def test_what_is_asked_is_kept_with_nothing_left_open(client: TestClient, queue: Queue) -> None:
    answer = learn(client, {"neutral": ["a cat"], "eta": 3}, label={"ko": "웃음"}, page="page-1")
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert (run["kind"], run["name"], run["prompt"]) == ("learn", "smile", "smiling face ↔ crying face")
    slider = run["request"]["slider"]
    assert (slider["neutral"], slider["eta"], slider["steps"], slider["rank"]) == (["a cat"], 3.0, 200, 4)
    assert run["request"]["label"] == {"ko": "웃음"}
    assert client.get(f"/api/runs/{run['id']}").json() == run
    [listed] = client.get("/api/runs", params={"kind": "learn", "q": "crying"}).json()["items"]
    assert listed["id"] == run["id"]
    until(lambda: queue.sent == [(run["id"], "batch")])


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"slider": {"plus": ""}}, 422, "slider.plus"),
        ({"slider": {"plus": None}}, 422, "slider.plus"),
        ({"slider": {"minus": " smiling face "}}, 422, "slider.minus"),
        ({"slider": {"minus": "x" * 4001}}, 422, "slider.minus"),
        ({"slider": {"neutral": ["a", ""]}}, 422, "slider.neutral.1"),
        ({"slider": {"neutral": ["a"] * 65}}, 422, "slider.neutral"),
        ({"slider": {"rank": 129}}, 422, "slider.rank"),
        ({"slider": {"rank": "4"}}, 422, "slider.rank"),
        ({"slider": {"steps": 0}}, 422, "slider.steps"),
        ({"slider": {"batch": 257}}, 422, "slider.batch"),
        ({"slider": {"lr": 5.0}}, 422, "slider.lr"),
        ({"slider": {"eta": 0.0}}, 422, "slider.eta"),
        ({"slider": {"count": 0}}, 422, "slider.count"),
        ({"slider": {"seed": -1}}, 422, "slider.seed"),
        ({"slider": {"speed": 1}}, 422, "slider.speed"),
        ({"name": "../up"}, 422, "name"),
        ({"name": ".hidden"}, 422, "name"),
        ({"name": "x" * 65}, 422, "name"),
        ({"name": "tiny"}, 409, "name"),
        ({"name": "gpt2-classics"}, 409, "name"),
        ({"label": {"en": ""}}, 422, "label.en"),
        ({"label": {"fr": "sourire"}}, 422, "label.fr"),
        ({"model": "nowhere"}, 404, "model"),
        ({"model": "tiny"}, 422, "model"),
        ({"dataset": "d" * 64}, 422, "dataset"),
        ({"prompt": "Hello"}, 422, "prompt"),
    ],
)
def test_what_is_refused_is_named(client: TestClient, more: dict[str, Any], status: int, field: str) -> None:
    answer = learn(client, **more)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text
    assert client.get("/api/runs").json()["total"] == 0


def test_a_model_that_writes_is_refused_in_clear_words(client: TestClient) -> None:
    refused = learn(client, model="tiny").json()["error"]
    assert refused["message"] == "tiny writes text; a knob is learned for pictures"
    assert refused["remedy"] == "choose an image model"


def test_a_name_belongs_to_one_run_until_it_ends(client: TestClient, settings: Settings) -> None:
    run = learn(client).json()["id"]
    assert learn(client).status_code == 409
    assert client.post(f"/api/runs/{run}/again").status_code == 409
    client.post(f"/api/runs/{run}/cancel")
    again = client.post(f"/api/runs/{run}/again")
    assert (again.status_code, again.json()["kind"]) == (202, "learn")
    assert again.json()["request"] == client.get(f"/api/runs/{run}").json()["request"]
    client.post(f"/api/runs/{again.json()['id']}/cancel")
    (settings.home / "adapters" / "smile").mkdir(parents=True)
    refused = learn(client)
    assert (refused.status_code, refused.json()["error"]["field"]) == (409, "name")


def test_its_course_is_told_and_downloaded_as_training_s(client: TestClient, worker: Worker) -> None:
    run = begun(client, worker)
    for order in ("save", "pause"):
        assert client.post(f"/api/runs/{run}/{order}").status_code == 409
    drawing = {"type": "phase", "phase": "working", "done": 0, "total": 4, "unit": "parts"}
    assert worker.events(run, 1, drawing, STEPS).status_code == 200
    assert client.get(f"/api/runs/{run}").json()["phase"] == {
        key: drawing[key] for key in drawing if key != "type"
    }
    assert worker.finish(run, 2, result=RESULT).status_code == 200
    done = client.get(f"/api/runs/{run}").json()
    assert (done["state"], done["result"]) == ("succeeded", RESULT)
    with client.stream("GET", f"/api/runs/{run}/events") as answer:
        lines = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    events = [TypeAdapter(Event).validate_json(line, strict=True) for line in lines if '"type"' in line]
    assert [event.type for event in events] == [
        "state", "state", "phase", "train_steps", "slider_result", "state",
    ]  # fmt: skip
    assert "2,0.25,0.01" in client.get(f"/api/runs/{run}/curves.csv").text
    assert client.get(f"/api/runs/{run}/tensorboard").status_code == 200


def test_a_second_attempt_begins_anew(client: TestClient, worker: Worker) -> None:
    run = begun(client, worker)
    worker.events(run, 1, STEPS)
    worker.post(f"runs/{run}/release", attempt=1, reason="the worker ends")
    assert worker.claim(run).json()["attempt"] == 2
    log = client.get(f"/api/runs/{run}/curves.csv").text
    assert log.strip().count("\n") == 0  # nothing but its head


def test_a_knob_that_was_written_when_the_cancel_came_goes(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    run = begun(client, worker)
    folder = knob_of(run, settings)
    client.post(f"/api/runs/{run}/cancel")
    assert worker.heartbeat(run).json()["cancel"]
    worker.finish(run, 1, state="cancelled")
    assert client.get(f"/api/runs/{run}").json()["state"] == "cancelled"
    assert not folder.exists()


def test_a_cancel_never_takes_another_s_knob(client: TestClient, settings: Settings) -> None:
    run = learn(client).json()["id"]
    folder = knob_of("0" * 26, settings)
    client.post(f"/api/runs/{run}/cancel")
    assert folder.exists()


def test_how_long_it_takes_can_be_measured(client: TestClient, worker: Worker) -> None:
    body = {"kind": "probe", "model": "emoji-diffusion", "slider": {**SLIDER, "steps": 50}}
    run = client.post("/api/runs", json=body).json()
    assert (run["kind"], run["prompt"]) == ("probe", "smiling face ↔ crying face")
    assert run["request"]["slider"]["steps"] == 50
    assert "dataset" not in run["request"]
    newer = client.post("/api/runs", json={**body, "replaces": run["id"]}).json()["id"]
    assert client.get(f"/api/runs/{run['id']}").json()["state"] == "cancelled"
    assert worker.claim(newer).json()["request"]["slider"]["plus"] == "smiling face"
    again = client.post(f"/api/runs/{run['id']}/again")
    assert (again.status_code, again.json()["request"]) == (202, run["request"])


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"slider": {**SLIDER, "minus": ""}}, "slider.minus"),
        ({"slider": SLIDER, "dataset": "d" * 64}, "dataset"),
        ({"slider": SLIDER, "model": "tiny"}, "model"),
        ({}, "dataset"),
    ],
)
def test_what_cannot_be_measured_is_named(client: TestClient, more: dict[str, Any], field: str) -> None:
    answer = client.post("/api/runs", json={"kind": "probe", "model": "emoji-diffusion", **more})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text
    assert answer.json()["error"]["remedy"]
