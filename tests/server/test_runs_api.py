"""Asking for runs over HTTP: what is taken, what is refused and how, lists, cancel, again, idempotency."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from serving import Queue, Worker, ask, until
from starlette.testclient import TestClient

from imfine.server import reaper
from imfine.settings import Settings


def post(client: TestClient, **body: Any) -> Any:
    return client.post("/api/runs", json=ask(**body))


def raw(client: TestClient, body: str | bytes) -> Any:
    return client.post("/api/runs", content=body, headers={"Content-Type": "application/json"})


def test_a_run_is_kept_whole_and_published(client: TestClient, queue: Queue) -> None:
    answer = post(
        client,
        recipe={"attn": 1.2, "mlp": 1, "points": {"o": 0.8}},
        sampling={"greedy": True},
        lanes=["base", "tuned", {"name": "loud", "recipe": {"mlp": 1.5}}],
        top=2,
        dtype="float32",
        page="page-1",
    )
    assert answer.status_code == 202
    run = answer.json()
    assert run["state"] == "queued"
    assert run["position"] == 0
    assert run["prompt"] == "I want to be"
    request = run["request"]
    assert request["recipe"] == {"attn": 1.2, "points": {"o": 0.8}}
    assert [lane["name"] for lane in request["lanes"]] == ["base", "tuned", "loud"]
    assert [lane["recipe"] for lane in request["lanes"]] == [{}, request["recipe"], {"mlp": 1.5}]
    assert isinstance(request["sampling"]["seed"], int)
    assert client.get(f"/api/runs/{run['id']}").json() == run
    until(lambda: queue.sent == [(run["id"], "live")])


def test_a_sweep_goes_to_the_batch_queue(client: TestClient, queue: Queue) -> None:
    lanes = [{"name": f"g{i}", "recipe": {"attn": 0.1 * i}} for i in range(20)]
    run = post(client, lanes=lanes).json()
    until(lambda: queue.sent == [(run["id"], "batch")])


@pytest.mark.parametrize(
    "prompt",
    [
        "😀👩‍👩‍👧‍👦",
        "مرحبا بالعالم",
        "나는 슈퍼맨이 되고 싶다",
        "a\u2028b\u202ec\x1b[31m",
        " ",
        "\n\r\n",
        "%'\"\\;--",
    ],
)
def test_any_text_is_stored_exactly(client: TestClient, prompt: str) -> None:
    run = post(client, prompt=prompt).json()
    kept = client.get(f"/api/runs/{run['id']}").json()
    assert kept["prompt"] == kept["request"]["prompt"] == prompt
    assert client.get("/api/runs").json()["items"][0]["prompt"] == prompt


def test_a_conversation_is_a_prompt_too(client: TestClient) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    body = ask(messages=messages)
    del body["prompt"]
    run = client.post("/api/runs", json=body).json()
    assert run["prompt"] == "Hello"
    assert run["request"]["messages"] == messages


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": 3}, "prompt"),
    ({"messages": [{"role": "user", "content": "x"}]}, "prompt"),
    ({"prompt": None, "messages": []}, "messages"),
    ({"prompt": None, "messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
    ({"prompt": None, "messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    ({"kind": "sing"}, "kind"),
    ({"model": ""}, "model"),
    ({"model": ["tiny"]}, "model"),
    ({"surprise": 1}, "surprise"),
    ({"recipe": {"surprise": 1}}, "recipe.surprise"),
    ({"recipe": {"attn": "1"}}, "recipe.attn"),
    ({"recipe": {"attn": True}}, "recipe.attn"),
    ({"recipe": {"attn": 4.1}}, "recipe.attn"),
    ({"recipe": {"attn": -1}}, "recipe.attn"),
    ({"recipe": {"eps": 6}}, "recipe.eps"),
    ({"recipe": {"bands": {"attn": [1.0] * 5}}}, "recipe.bands.attn"),
    ({"recipe": {"bands": {"attn": [1, 1, 1, "x"]}}}, "recipe.bands.attn.3"),
    ({"recipe": {"bands": {"up": [1]}}}, "recipe.bands.up"),
    ({"recipe": {"points": {"gates": 1}}}, "recipe.points.gates"),
    ({"recipe": {"points": {"4.o": 1.5}}}, "recipe.points.4.o"),
    ({"recipe": {"points": {"0.o.h9": 1.5}}}, "recipe.points.0.o.h9"),
    ({"sampling": {"temperature": 0}}, "sampling.temperature"),
    ({"sampling": {"seed": -1}}, "sampling.seed"),
    ({"sampling": {"seed": 2**32}}, "sampling.seed"),
    ({"sampling": {"max_new_tokens": -3}}, "sampling.max_new_tokens"),
    ({"sampling": {"top_k": 1.5}}, "sampling.top_k"),
    ({"sampling": {"stop": [""]}}, "sampling.stop.0"),
    ({"sampling": {"heat": 1}}, "sampling.heat"),
    ({"lanes": []}, "lanes"),
    ({"lanes": ["base"] * 33}, "lanes"),
    ({"lanes": ["base", "base"]}, "lanes.1"),
    ({"lanes": ["nobody"]}, "lanes.0"),
    ({"lanes": ["base", {"name": "x", "recipe": {"mlp": 9}}]}, "lanes.1.recipe.mlp"),
    ({"lanes": ["base", {"name": "x", "recipe": {"mlq": 1}}]}, "lanes.1.recipe.mlq"),
    ({"lanes": [{"name": "base", "recipe": {"mlp": 2}}]}, "lanes.0.recipe"),
    ({"top": 6}, "top"),
    ({"dtype": "int4"}, "dtype"),
    ({"page": ""}, "page"),
]


@pytest.mark.parametrize(
    ("wrong", "field"), REFUSED, ids=[f"{field}-{i}" for i, (_, field) in enumerate(REFUSED)]
)
def test_what_is_wrong_is_named(shared: TestClient, wrong: dict[str, Any], field: str) -> None:
    answer = post(shared, **wrong)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["field"] == field
    assert error["message"]
    assert error["remedy"]
    assert shared.get("/api/runs").json()["total"] == 0


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(2**63), "9" * 5000]
)
def test_numbers_that_json_or_the_store_cannot_carry(shared: TestClient, number: str) -> None:
    body = json.dumps(ask(recipe={"bands": {"attn": [1, 1, "HERE", 1]}})).replace('"HERE"', number)
    answer = raw(shared, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "recipe.bands.attn.2"


@pytest.mark.parametrize("escape", ["\\ud83d", "\\udc00 tail", "\\u0000"])
def test_characters_that_cannot_be_stored(shared: TestClient, escape: str) -> None:
    answer = raw(shared, json.dumps(ask(prompt="HERE")).replace("HERE", escape))
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "prompt"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"a":' * 100_000,
        b"[" * 39 + b"]" * 39,
        b'{"a":"\n"}',
    ],
    ids=range(9),
)
def test_what_is_no_object_is_refused(shared: TestClient, body: bytes) -> None:
    answer = raw(shared, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["field"] == "body"


def test_json_must_be_declared(shared: TestClient) -> None:
    answer = shared.post("/api/runs", content=json.dumps(ask()), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert "application/json" in answer.json()["error"]["remedy"]


def test_a_prompt_of_ten_megabytes_is_told_the_limit_in_tokens(shared: TestClient) -> None:
    answer = post(shared, prompt="long " * 2_000_000)
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["code"] == "prompt_too_long"
    assert error["params"]["tokens"] == 512


@pytest.mark.parametrize("length", [1_100_000, 10_000_000])
def test_the_limit_is_told_also_where_the_model_stands_last(shared: TestClient, length: int) -> None:
    """JSON has no order; and what a prompt quotes is no model."""
    prompt = ('"model": "no-such-model", ' * length)[:length]
    answer = raw(shared, json.dumps({"kind": "generate", "prompt": prompt, "model": "tiny"}))
    assert answer.status_code == 413
    assert answer.json()["error"]["params"].get("tokens") == 512


def test_a_body_that_does_not_tell_its_size_is_stopped(shared: TestClient) -> None:
    def chunks() -> Any:
        yield b'{"prompt": "'
        for _ in range(40):
            yield b"x" * 65536

    answer = shared.post("/api/runs", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


def test_a_model_that_a_run_uses_is_not_deleted(client: TestClient, settings: Settings) -> None:
    made = client.post("/api/runs", json=ask()).json()["id"]
    answer = client.delete("/api/models/tiny")
    assert (answer.status_code, answer.json()["error"]["params"]["run"]) == (409, made)
    client.post(f"/api/runs/{made}/cancel")
    assert client.delete("/api/models/tiny").status_code == 204
    assert not list(settings.models_dir.iterdir())
    assert client.delete("/api/models/tiny").status_code == 404
    assert client.post("/api/runs", json=ask()).status_code == 404
    assert client.delete("/api/models/gpt2-classics").status_code == 409  # it ships with us
    assert client.delete("/api/models/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("no-such-model", 404, "model_not_found"),
        ("../../etc", 422, "model_refused"),
        ("/etc/passwd", 422, "model_refused"),
        ("%252e%252e", 422, "model_refused"),
        ("nobody/nothing", 424, "no_network"),
    ],
)
def test_the_model_is_checked_before_the_run_is_taken(
    shared: TestClient, model: str, status: int, code: str
) -> None:
    answer = post(shared, model=model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


# ---------------------------------------------------------------- idempotency


def test_the_same_key_fifty_times_at_once_is_one_run(
    client: TestClient, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "UNCLAIMED_S", 600.0)  # nobody takes it; sent again it would look like two
    body = ask(sampling={"temperature": 1})

    def send(_: int) -> Any:
        return client.post("/api/runs", json=body, headers={"Idempotency-Key": "the same"})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.json()["request"]["sampling"]["seed"] for answer in answers}) == 1
    assert client.get("/api/runs").json()["total"] == 1
    until(lambda: len(queue.sent) == 1)


def test_the_same_key_with_another_body_conflicts(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = client.post("/api/runs", json=ask(), headers=key)
    second = client.post("/api/runs", json=ask(prompt="another"), headers=key)
    assert second.status_code == 409
    assert first.json()["id"] in second.json()["error"]["message"]
    other = client.post("/api/runs", json=ask(), headers={"Idempotency-Key": "K"})
    assert other.status_code == 202
    assert other.json()["id"] != first.json()["id"]


def test_a_key_that_is_too_long(shared: TestClient) -> None:
    answer = shared.post("/api/runs", json=ask(), headers={"Idempotency-Key": "k" * 201})
    assert answer.status_code == 422


# ---------------------------------------------------------------- lists


def test_lists_go_back_in_time_page_by_page(client: TestClient) -> None:
    made = [post(client, prompt=f"prompt {i}").json()["id"] for i in range(7)]
    seen, cursor = [], None
    while True:
        page = client.get("/api/runs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [run["id"] for run in page["items"]]
        assert page["total"] == 7
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]
    positions = {run["id"]: run["position"] for run in client.get("/api/runs").json()["items"]}
    assert [positions[run] for run in made] == list(range(7))


def test_lists_can_be_narrowed(client: TestClient) -> None:
    superman = post(client, prompt="I want to be a SUPERMAN.").json()
    korean = post(client, prompt="100% 나는_슈퍼맨이 되고 싶다").json()
    client.post(f"/api/runs/{korean['id']}/cancel")

    def found(**params: str) -> list[str]:
        return [run["id"] for run in client.get("/api/runs", params=params).json()["items"]]

    assert found(q="superman") == [superman["id"]]
    assert found(q="슈퍼맨") == [korean["id"]]
    assert found(q="100%") == found(q="나는_") == [korean["id"]]
    assert found(q="%") == [korean["id"]]
    assert found(q=superman["name"].upper()) == [superman["id"]]
    assert found(q=korean["id"]) == [korean["id"]]
    assert found(state="cancelled") == [korean["id"]]
    assert found(state="queued", model="tiny") == [superman["id"]]
    assert found(model="other") == []
    assert client.get("/api/runs", params={"stat": "queued"}).status_code == 422


def test_there_is_no_such_run(client: TestClient) -> None:
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/again"), ("GET", "/events")):
        answer = client.request(method, f"/api/runs/nope{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


# ---------------------------------------------------------------- cancel and again


def test_cancel_is_the_same_however_often(client: TestClient, worker: Worker) -> None:
    queued = post(client).json()["id"]
    for _ in range(2):
        assert client.post(f"/api/runs/{queued}/cancel").json()["state"] == "cancelled"
    assert worker.claim(queued).status_code == 409

    at_work = post(client).json()["id"]
    worker.claim(at_work)
    assert worker.heartbeat(at_work).json() == {"cancel": False, "save": False, "pause": False}
    for _ in range(2):
        assert client.post(f"/api/runs/{at_work}/cancel").json()["state"] == "running"
    assert worker.heartbeat(at_work).json() == {"cancel": True, "save": False, "pause": False}
    assert worker.events(at_work, 1).json() == {"cancel": True}
    assert worker.finish(at_work, 2, "cancelled").status_code == 200
    assert client.post(f"/api/runs/{at_work}/cancel").json()["state"] == "cancelled"

    done = post(client).json()["id"]
    worker.claim(done)
    worker.finish(done, 1)
    for _ in range(2):
        assert client.post(f"/api/runs/{done}/cancel").json()["state"] == "succeeded"


def test_a_run_that_replaces_another_cancels_it(client: TestClient, worker: Worker) -> None:
    waiting, at_work = post(client).json()["id"], post(client).json()["id"]
    worker.claim(at_work)
    assert post(client, replaces=waiting).status_code == 202
    assert client.get(f"/api/runs/{waiting}").json()["state"] == "cancelled"
    assert post(client, replaces=at_work).status_code == 202
    assert worker.events(at_work, 1).json() == {"cancel": True}
    for gone in ("no-such-run", waiting):
        assert post(client, replaces=gone).status_code == 202


def test_a_replacing_run_that_is_refused_cancels_nothing(client: TestClient) -> None:
    waiting = post(client).json()["id"]
    assert post(client, replaces=waiting, recipe={"attn": 99}).status_code == 422
    assert client.get(f"/api/runs/{waiting}").json()["state"] == "queued"


def test_again_asks_the_same(client: TestClient, queue: Queue) -> None:
    first = post(client, recipe={"mlp": 1.3}, page="p").json()
    second = client.post(f"/api/runs/{first['id']}/again")
    assert second.status_code == 202
    assert second.json()["id"] != first["id"]
    assert second.json()["request"] == first["request"]
    assert second.json()["recipe_hash"] == first["recipe_hash"]
    until(lambda: queue.times(second.json()["id"]) == 1)


# ---------------------------------------------------------------- models


def test_models_are_described(shared: TestClient) -> None:
    cards = shared.get("/api/models").json()["items"]
    assert "tiny" in [card["id"] for card in cards]
    detail = shared.get("/api/models/tiny").json()
    assert detail["card"]["ready"] is True
    assert detail["layout"]["layers"] == 4
    assert detail["layout"]["eps_knob_max"] == pytest.approx(5)
    assert detail["tensors"] == 38


def test_a_manifest_counts_what_a_recipe_touches(shared: TestClient) -> None:
    body = {"model": "tiny", "recipe": {"attn": 1.2}}
    manifest = shared.post("/api/manifest", json=body).json()
    assert (manifest["touched"], manifest["total"]) == (12, 38)
    assert shared.post("/api/manifest", json=body | {"model": "smollm2-135m"}).status_code == 409
    assert shared.post("/api/manifest", json=body | {"recipe": {"attn": 9}}).status_code == 422


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/x", "%252e%252e", "/etc/passwd", "a\x00b"])
def test_model_paths_lead_nowhere_else(shared: TestClient, path: str) -> None:
    answer = shared.get(f"/api/models/{path}") if "\0" not in path else shared.get("/api/models/a%00b")
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
