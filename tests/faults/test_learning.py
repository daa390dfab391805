"""A knob learned through the whole installation: it turns the model, whatever happens to its process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from installation import PAINTER, TERMINAL, Installation, types, wait_for

# Several starts of torch, by processes that are nice to all else. What a broker and a database do for a run
# that has a child of its own, test_training asks on the services.
pytestmark = [pytest.mark.timeout(1000), pytest.mark.embedded]
PATIENCE = 400.0
SLIDER = {"plus": "smiling face", "minus": "crying face", "steps": 3, "batch": 1, "count": 1, "rank": 1}


@pytest.fixture
def ready(shared: Installation) -> Iterator[Installation]:
    yield shared
    for run in shared.get("/api/runs").json()["items"]:
        if run["state"] not in TERMINAL:
            shared.cancel(run["id"])
            shared.wait_state(run["id"], *TERMINAL, seconds=PATIENCE)


def begin(there: Installation, name: str, **slider: Any) -> str:
    body = {"kind": "learn", "model": PAINTER, "name": name, "slider": {**SLIDER, **slider}}
    answer = there.http.post("/api/runs", json=body)
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def wait_steps(there: Installation, run_id: str, attempt: int = 1) -> None:
    for event in there.follow(run_id):
        if (event["type"], event["attempt"]) == ("train_steps", attempt):
            return
    raise AssertionError(f"run {run_id} ended without a step")


def left(there: Installation, name: str) -> set[str]:
    """Without the file that is locked while a knob is written, which stays."""
    folder = there.home / "adapters"
    found = [path.name for path in folder.iterdir()] if folder.exists() else []
    return {each for each in found if name in each and not each.endswith(".lock")}


def test_a_knob_comes_of_it_and_turns_the_picture(ready: Installation) -> None:
    run = begin(ready, "smile")
    ended = ready.wait_state(run, "succeeded", seconds=PATIENCE)
    assert (ended["result"]["delta"], ended["result"]["steps"]) == ("smile", 3)
    assert "path" not in ended["result"]
    log = ready.log(run)
    assert [i for each in log if each["type"] == "train_steps" for i in each["step"]] == [1, 2, 3]
    assert types(log)[-2:] == ["slider_result", "succeeded"]
    [knob] = [each for each in ready.get(f"/api/models/{PAINTER}").json()["deltas"] if each["id"] == "smile"]
    assert (knob["kind"], knob["low"], knob["high"]) == ("slider", -2, 2)
    body = {
        "kind": "generate", "model": PAINTER, "prompt": "a face", "lanes": ["base", "tuned"],
        "image": {"steps": 2, "seed": 1, "previews": False}, "recipe": {"deltas": {"smile": -2.0}},
    }  # fmt: skip
    drawn = ready.http.post("/api/runs", json=body)
    assert drawn.status_code == 202, drawn.text
    base, tuned = ready.wait_state(drawn.json()["id"], "succeeded", seconds=PATIENCE)["result"]["lanes"]
    assert base["pictures"][0]["sha256"] != tuned["pictures"][0]["sha256"]


def test_how_long_it_takes_is_told_by_steps_that_are_thrown_away(ready: Installation) -> None:
    body = {"kind": "probe", "model": PAINTER, "slider": {**SLIDER, "steps": 500}}
    run = ready.http.post("/api/runs", json=body).json()["id"]
    told = ready.wait_state(run, "succeeded", seconds=PATIENCE)["result"]
    assert (told["type"], told["steps"], told["rows"]) == ("probe_result", 500, 1)
    assert told["seconds"] > 500 * told["step_s"] > 0
    assert not list((ready.home / "probes").glob("*"))


def test_a_process_that_is_killed_is_followed_by_one_that_begins_anew(ready: Installation) -> None:
    run = begin(ready, "killed", steps=20)
    wait_steps(ready, run)
    ready.learning()[0].kill()
    wait_for(lambda: ready.run(run)["attempt"] == 2)
    ready.wait_state(run, "succeeded", seconds=PATIENCE)
    again = [each for each in ready.log(run) if each["attempt"] == 2]
    assert [each["from"] for each in again if each["type"] == "restart"] == [0]
    assert [i for each in again if each["type"] == "train_steps" for i in each["step"]] == list(range(1, 21))
    assert left(ready, "killed") == {"killed"}


def test_cancel_leaves_nothing(ready: Installation) -> None:
    run = begin(ready, "cancelled", steps=100_000)
    wait_steps(ready, run)
    ready.cancel(run)
    ready.wait_state(run, "cancelled")
    assert left(ready, "cancelled") == set()
    assert not ready.learning()
    assert not [
        each for each in ready.get(f"/api/models/{PAINTER}").json()["deltas"] if each["id"] == "cancelled"
    ]
