"""Runs that train: what is taken and refused, stop and save, what becomes of a run whose work dies."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter
from serving import PNG, Queue, Worker, picture, until
from starlette.testclient import TestClient

from imfine.server.context import Context
from imfine.server.schemas import Event
from imfine.settings import Settings
from imfine.store import datasets

DATA, PICTURES = "d" * 64, "e" * 64
ABOUT = {
    "hash": DATA,
    "name": "letters.txt",
    "kind": "text",
    "format": "text",
    "rows": 3,
    "bytes": 30,
    "columns": {},
    "findings": [],
    "sizes": None,
}
RESULT = {
    "type": "train_result",
    "model": "mine",
    "path": "/home/models/mine",
    "adapter": None,
    "reason": "stopped",
    "steps": 2,
    "best_step": 2,
    "loss_before": 2.0,
    "loss_after": 1.0,
    "perplexity_before": 7.4,
    "perplexity_after": 2.7,
    "curves": "/home/models/mine/curves.jsonl",
    "parameters": 10,
    "tensors": 1,
    "tokens": 64,
    "seconds": 1.5,
    "peak_memory": 1 << 30,
    "versions": {"imfine": "0"},
}


@pytest.fixture(autouse=True)
def data(client: TestClient, context: Context) -> None:
    with context.store.writing, context.store.write() as connection:
        datasets.put(connection, ABOUT, 1)
        datasets.put(connection, ABOUT | {"hash": PICTURES, "kind": "image", "name": "cats"}, 1)


def train(client: TestClient, **more: Any) -> Any:
    body = {"kind": "train", "model": "tiny", "name": "mine", "dataset": DATA, **more}
    return client.post("/api/runs", json=body)


def test_what_is_asked_is_kept_with_nothing_left_open(client: TestClient, queue: Queue) -> None:
    answer = train(client, plan={"lr": 1e-4, "steps": 5, "parts": ["mlp"], "layers": [2, 1]}, page="page-1")
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert (run["kind"], run["name"], run["prompt"], run["recipe"]) == ("train", "mine", "letters.txt", {})
    plan = run["request"]["plan"]
    assert (plan["lr"], plan["steps"], plan["parts"], plan["layers"]) == (1e-4, 5, ["mlp"], [1, 2])
    assert plan["dtype"] in ("float32", "bfloat16")
    assert client.get(f"/api/runs/{run['id']}").json() == run
    [listed] = client.get("/api/runs", params={"kind": "train", "q": "MINE"}).json()["items"]
    assert listed["id"] == run["id"]
    until(lambda: queue.sent == [(run["id"], "batch")])


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"plan": {"lr": 5.0}}, 422, "plan.lr"),
        ({"plan": {"rank": "8"}}, 422, "plan.rank"),
        ({"plan": {"steps": 3, "epochs": 1.0}}, 422, "plan.steps"),
        ({"plan": {"layers": [4]}}, 422, "plan.layers"),
        ({"plan": {"length": 513}}, 422, "plan.length"),
        ({"plan": {"speed": 1}}, 422, "plan.speed"),
        ({"name": "../up"}, 422, "name"),
        ({"name": ".hidden"}, 422, "name"),
        ({"name": "gpt2-classics"}, 422, "name"),
        ({"name": "x" * 65}, 422, "name"),
        ({"name": "tiny"}, 409, "name"),
        ({"dataset": "f" * 64}, 404, "dataset"),
        ({"dataset": PICTURES}, 422, "dataset"),
        ({"model": "nowhere"}, 404, "model"),
        ({"prompt": "Hello"}, 422, "prompt"),
    ],
)
def test_what_is_refused_is_named(client: TestClient, more: dict[str, Any], status: int, field: str) -> None:
    answer = train(client, **more)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text
    assert client.get("/api/runs").json()["total"] == 0


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"dataset": DATA}, "dataset"),
        ({"plan": {"length": 64}}, "plan.length"),
        ({"plan": {"layers": [0]}}, "plan.layers"),
        ({"plan": {"blocks": ["IN00"]}}, "plan.blocks"),
        ({"plan": {"resolution": 30}}, "plan.resolution"),
        ({"plan": {"method": "qlora"}}, "plan.method"),
        ({"model": "tiny", "dataset": DATA, "plan": {"blocks": ["M00"]}}, "plan.blocks"),
        ({"model": "tiny", "dataset": DATA, "plan": {"snr_gamma": 5.0}}, "plan.snr_gamma"),
    ],
)
def test_each_kind_of_model_has_its_own_data_and_settings(
    client: TestClient, more: dict[str, Any], field: str
) -> None:
    answer = train(client, **{"model": "emoji-diffusion", "dataset": PICTURES, **more})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text


def test_qlora_is_for_text_where_a_worker_has_what_it_needs(client: TestClient, worker: Worker) -> None:
    def methods(model: str) -> list[str]:
        found: list[str] = client.get(f"/api/models/{model}").json()["methods"]
        return found

    plan = {"plan": {"method": "qlora"}}
    assert "qlora" not in methods("tiny")
    assert worker.hello("batch", methods=["full", "lora", "dora"]).status_code == 200
    assert methods("tiny") == ["full", "lora", "dora"]
    refused = train(client, **plan)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "plan.method")
    assert "bitsandbytes" in refused.json()["error"]["message"]
    assert "use lora" in refused.json()["error"]["remedy"]
    assert client.post("/api/train/estimate", json={"model": "tiny", **plan}).status_code == 422
    Worker(client, "worker-2").hello("batch", methods=["full", "lora", "dora", "qlora"])
    assert methods("tiny") == ["full", "lora", "dora", "qlora"]
    assert methods("emoji-diffusion") == ["full", "lora", "dora"]
    told = {each["worker"]: each["methods"] for each in client.get("/api/workers").json()["items"]}
    assert told == {"worker-1": ["full", "lora", "dora"], "worker-2": ["full", "lora", "dora", "qlora"]}
    answer = train(client, **plan)
    assert answer.status_code == 202, answer.text
    assert answer.json()["request"]["plan"]["method"] == "qlora"


def test_a_model_that_draws_shows_what_it_draws(client: TestClient, worker: Worker) -> None:
    plan = {"blocks": ["TE", "M00"], "resolution": 32, "snr_gamma": 5.0, "samples": ["a cat"]}
    answer = train(client, model="emoji-diffusion", dataset=PICTURES, plan=plan)
    assert answer.status_code == 202, answer.text
    run = answer.json()["id"]
    assert answer.json()["request"]["plan"]["blocks"] == ["M00", "TE"]
    worker.claim(run)
    made = {key: value for key, value in picture().items() if key not in ("type", "lane", "index")}
    told = {"type": "sampled", "step": 0, "index": 0, "prompt": "a cat", "text": "", "picture": made}
    refused = worker.events(run, 1, told)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "events.0.sha256")
    assert worker.upload(run).status_code == 200
    looked = {"type": "evaluated", "step": 0, "loss": 0.2, "perplexity": None, "tokens": 3}
    assert worker.events(run, 1, looked, told).status_code == 200
    assert worker.finish(run, 2, result=RESULT).status_code == 200
    assert client.get(made["url"]).content == PNG
    with client.stream("GET", f"/api/runs/{run}/events") as answer:
        lines = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    events = [TypeAdapter(Event).validate_json(line, strict=True) for line in lines if '"type"' in line]
    [shown] = [event for event in events if event.type == "sampled"]
    assert shown.picture is not None
    assert shown.picture.url == made["url"]
    assert "0.2" in client.get(f"/api/runs/{run}/curves.csv").text


def test_a_name_belongs_to_one_run_until_it_ends(client: TestClient) -> None:
    run = train(client).json()["id"]
    assert train(client).status_code == 409
    assert client.post(f"/api/runs/{run}/again").status_code == 409
    client.post(f"/api/runs/{run}/cancel")
    answer = client.post(f"/api/runs/{run}/again")
    assert (answer.status_code, answer.json()["name"]) == (202, "mine")


def test_its_data_cannot_be_deleted_while_it_waits(client: TestClient) -> None:
    run = train(client).json()["id"]
    assert client.delete(f"/api/datasets/{DATA}").status_code == 409
    client.post(f"/api/runs/{run}/cancel")
    assert client.delete(f"/api/datasets/{DATA}").status_code == 204
    assert client.post(f"/api/runs/{run}/again").json()["error"]["field"] == "dataset"


def test_stop_and_save(client: TestClient, worker: Worker) -> None:
    run = train(client).json()["id"]
    assert client.post(f"/api/runs/{run}/save").status_code == 409  # nothing is learned yet
    worker.claim(run)
    assert worker.heartbeat(run).json() == {"cancel": False, "save": False, "pause": False}
    for _ in range(2):
        assert client.post(f"/api/runs/{run}/save").json()["state"] == "running"
    assert worker.heartbeat(run).json() == {"cancel": False, "save": True, "pause": False}
    assert worker.finish(run, 1, result=RESULT).status_code == 200
    done = client.post(f"/api/runs/{run}/save").json()
    assert (done["state"], done["result"]) == ("succeeded", RESULT)


def test_an_answer_cannot_be_saved(client: TestClient) -> None:
    run = client.post("/api/runs", json={"kind": "generate", "model": "tiny", "prompt": "x"}).json()["id"]
    assert client.post(f"/api/runs/{run}/save").status_code == 409
    assert client.post("/api/runs/nope/save").status_code == 404


def test_its_events_are_kept_and_described(client: TestClient, worker: Worker, context: Context) -> None:
    run = train(client).json()["id"]
    worker.claim(run)
    last = {"steps": 9, "tokens": 64, "tokens_per_s": 100.0, "epoch": 0.1, "eta_s": 1.0}
    told = [
        {
            "type": "train_steps",
            "step": [1, 2],
            "loss": [2.0, 1.5],
            "lr": [1e-5, 2e-5],
            "grad_norm": [1.0, 0.5],
        }
        | last,
        {"type": "evaluated", "step": 2, "loss": 1.0, "perplexity": 2.7, "tokens": 60},
        {"type": "sampled", "step": 2, "index": 0, "prompt": "Once", "text": " upon"},
        {"type": "saved", "step": 2, "kept": [1, 2]},
    ]
    assert worker.events(run, 1, *told).status_code == 200
    assert worker.finish(run, 2, result=RESULT).status_code == 200
    with client.stream("GET", f"/api/runs/{run}/events") as answer:
        lines = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    events = [TypeAdapter(Event).validate_json(line, strict=True) for line in lines if '"type"' in line]
    kinds = [event.type for event in events]
    assert kinds == [
        "state", "state", "train_steps", "evaluated", "sampled", "saved", "train_result", "state",
    ]  # fmt: skip


def test_work_that_dies_is_tried_again_and_fails_with_its_reason(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    run = train(client).json()["id"]
    died = {
        "code": "internal",
        "message": "it died",
        "remedy": "",
        "field": None,
        "value": None,
        "params": {},
    }
    for attempt in range(1, settings.max_attempts + 1):
        assert worker.claim(run).json()["attempt"] == attempt
        answer = worker.post(f"runs/{run}/release", attempt=attempt, reason="died", error=died)
        assert answer.status_code == 200, answer.text
        state = "queued" if attempt < settings.max_attempts else "failed"
        assert client.get(f"/api/runs/{run}").json()["state"] == state
    assert client.get(f"/api/runs/{run}").json()["error"] == died


def test_a_probe_measures_and_makes_no_model(client: TestClient, worker: Worker, queue: Queue) -> None:
    body = {"kind": "probe", "model": "tiny", "dataset": DATA, "plan": {"steps": 5}}
    first = client.post("/api/runs", json=body).json()
    assert (first["kind"], first["prompt"], first["request"]["plan"]["steps"]) == ("probe", "letters.txt", 5)
    assert first["name"].count("-") == 2  # made up
    assert client.post(f"/api/runs/{first['id']}/save").status_code == 409
    assert client.delete(f"/api/datasets/{DATA}").status_code == 409
    second = client.post("/api/runs", json={**body, "replaces": first["id"]}).json()["id"]
    assert client.get(f"/api/runs/{first['id']}").json()["state"] == "cancelled"
    until(lambda: (second, "batch") in queue.sent)
    worker.claim(second)
    times = dict.fromkeys(("step_s", "evaluation_s", "rest_s", "seconds", "tokens_per_s"), 1.5)
    counts = dict.fromkeys(("steps", "evaluations", "rows", "held_out"), 3)
    result = {"type": "probe_result", **times, **counts}
    assert worker.finish(second, 1, result=result).status_code == 200
    done = client.get(f"/api/runs/{second}").json()
    assert (done["state"], done["result"]) == ("succeeded", result)
    again = client.post(f"/api/runs/{second}/again")
    assert (again.status_code, again.json()["kind"]) == (202, "probe")
    listed = client.get("/api/runs", params={"kind": "probe"}).json()
    assert listed["total"] == 3


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"plan": {"lr": 5.0}}, 422, "plan.lr"),
        ({"name": "mine"}, 422, "name"),
        ({"dataset": "f" * 64}, 404, "dataset"),
        ({"model": "nowhere"}, 404, "model"),
    ],
)
def test_what_a_probe_is_refused_for(
    client: TestClient, more: dict[str, Any], status: int, field: str
) -> None:
    answer = client.post("/api/runs", json={"kind": "probe", "model": "tiny", "dataset": DATA, **more})
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text
