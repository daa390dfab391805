"""What training would take, told by a child of the server's."""

from __future__ import annotations

import time
from typing import Any

import psutil
import pytest
from serving import Running, until
from starlette.testclient import TestClient

from imfine.server import estimates

pytestmark = pytest.mark.embedded


def estimate(client: Any, **more: Any) -> Any:
    return client.post("/api/train/estimate", json={"model": "gpt2-classics", **more})


def child() -> psutil.Process | None:
    ours = (each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE)
    return next((each for each in ours if "imfine.core.train" in each.cmdline()), None)


def test_what_a_plan_trains_and_takes(shared: TestClient) -> None:
    answer = estimate(shared, plan={"method": "full", "parts": ["mlp"], "dtype": "float32"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    layers, wide, inner = 6, 320, 1280
    assert told["trainable"]["parameters"] == layers * (2 * wide * inner + wide + inner)
    assert told["trainable"]["tensors"] == 4 * layers
    assert told["trainable"]["all_parameters"] > told["trainable"]["parameters"]
    assert told["memory"]["weights"] == 4 * told["trainable"]["all_parameters"]
    assert told["memory"]["optimizer"] == 2 * told["memory"]["gradients"]
    assert (told["fits"], told["change"], told["remedy"]) == (True, None, None)
    assert told["have"] > told["memory"]["together"]


def test_the_second_answer_comes_at_once_from_the_same_child(shared: TestClient) -> None:
    estimate(shared, plan={"batch": 1})
    first = child()
    began = time.monotonic()
    answers = [estimate(shared, plan={"batch": batch}).json() for batch in (2, 4, 2)]
    assert (time.monotonic() - began) / 3 < 0.3
    assert answers[0]["memory"] == answers[2]["memory"] != answers[1]["memory"]
    assert child() == first


def test_what_does_not_fit_says_what_would(shared: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    one = estimate(shared, plan={"batch": 1, "accumulation": 32}).json()["memory"]["together"]
    monkeypatch.setattr(estimates, "free", lambda: (one, "cpu"))
    told = estimate(shared, plan={"batch": 32}).json()
    assert (told["fits"], told["have"]) == (False, one)
    assert told["change"] == {"batch": 1, "accumulation": 32}
    assert "batch 1" in told["remedy"]
    monkeypatch.setattr(estimates, "free", lambda: (1 << 20, "cpu"))
    told = estimate(shared, plan={"batch": 32}).json()
    assert (told["fits"], told["change"]) == (False, None)
    assert told["remedy"]


def test_a_model_that_is_not_here_is_told_from_its_config(shared: TestClient) -> None:
    plan = {"method": "lora", "batch": 1, "dtype": "bfloat16"}
    told = estimate(shared, model="meta-llama/Llama-2-7b-hf", plan=plan).json()
    assert told["trainable"]["all_parameters"] == 6_738_415_616
    assert told["trainable"]["parameters"] == 19_988_480
    assert told["trainable"]["tensors"] == 2 * 7 * 32


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"model": "nowhere"}, 404, "model"),
        ({"plan": {"lr": 5.0}}, 422, "plan.lr"),
        ({"plan": {"layers": [99]}}, 422, "plan.layers"),
        ({"plan": {"speed": 1}}, 422, "plan.speed"),
        ({"dataset": "x"}, 422, "dataset"),
    ],
)
def test_what_is_refused_is_named(shared: TestClient, more: dict[str, Any], status: int, field: str) -> None:
    answer = estimate(shared, **more)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text


def test_a_model_that_draws_is_told_of_too(shared: TestClient) -> None:
    refused = estimate(shared, model="emoji-diffusion", plan={"length": 64})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "plan.length")
    answer = estimate(shared, model="emoji-diffusion", plan={"method": "lora", "parts": ["attn"], "batch": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json()["trainable"]["parameters"] > 0
    assert answer.json()["memory"]["activations"] > 0


def test_a_child_that_dies_is_another_one_the_next_time(shared: TestClient) -> None:
    estimate(shared, plan={"batch": 1})
    killed = child()
    assert killed is not None
    killed.kill()
    until(lambda: killed.status() == psutil.STATUS_ZOMBIE)
    assert estimate(shared, plan={"batch": 1, "rank": 3}).status_code == 200
    assert child() not in (None, killed)


def test_it_goes_when_nobody_asks(shared: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "IDLE_S", 0.2)
    estimate(shared, plan={"batch": 1, "rank": 4})
    until(lambda: child() is None)
    assert estimate(shared, plan={"batch": 1, "rank": 5}).status_code == 200


def test_it_goes_with_the_server(running: Running) -> None:
    assert estimate(running.http, plan={"batch": 1}).status_code == 200
    assert child() is not None
    running.stop()
    until(lambda: child() is None)
