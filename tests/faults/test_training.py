"""Training through the whole installation: a model comes of it, whatever happens to its process."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from installation import TERMINAL, Installation, types, wait_for

# Several starts of torch, by processes that are nice to whatever else the machine does.
pytestmark = pytest.mark.timeout(1000)
PATIENCE = 400.0

TEXT = "\n\n".join(
    f"The {i}th ship sailed before the wind, and nobody on the shore knew where it would land."
    for i in range(80)
)
PLAN = {
    "method": "full",
    "steps": 20,
    "batch": 1,
    "length": 64,
    "parts": ["mlp"],
    "layers": [0],
    "save_every": 2,
    "eval_share": 0.05,
}


@pytest.fixture
def ready(shared: Installation) -> Iterator[Installation]:
    """One for all tests that let it run. What a test has asked for has ended when the next one begins."""
    before = set(unfinished(shared))
    yield shared
    for run in set(unfinished(shared)) - before:
        shared.cancel(run)
        shared.wait_state(run, *TERMINAL, seconds=PATIENCE)


def unfinished(there: Installation) -> list[str]:
    return [each["id"] for each in there.get("/api/runs").json()["items"] if each["state"] not in TERMINAL]


def begin(there: Installation, name: str, resumes: str | None = None, **plan: Any) -> str:
    return ask(there, kind="train", name=name, resumes=resumes, plan={**PLAN, **plan})


def ask(there: Installation, **more: Any) -> str:
    data = there.http.post("/api/datasets?name=ships.txt", content=TEXT.encode())
    assert data.status_code in (200, 201), data.text
    answer = there.http.post(
        "/api/runs", json={"model": "gpt2-classics", "dataset": data.json()["id"], **more}
    )
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def child(there: Installation) -> psutil.Process:
    return there.learning()[0]


def wait_event(there: Installation, run_id: str, kind: str, attempt: int = 1) -> None:
    for event in there.follow(run_id):
        if (event["type"], event["attempt"]) == (kind, attempt):
            return
    raise AssertionError(f"run {run_id} ended without {kind}")


def folders(there: Installation, name: str) -> set[str]:
    """Without the file that is locked while a model is written, which stays."""
    made = (path.name for path in (there.home / "models").iterdir())
    return {each for each in made if name in each and not each.endswith(".lock")}


def test_a_model_comes_of_it_and_answers(ready: Installation) -> None:
    run = begin(ready, "first")
    ended = ready.wait_state(run, "succeeded", seconds=PATIENCE)
    assert (ended["result"]["model"], ended["result"]["reason"]) == ("first", "steps")
    log = ready.log(run)
    assert [i for each in log if each["type"] == "train_steps" for i in each["step"]] == list(range(1, 21))
    assert types(log)[-2:] == ["train_result", "succeeded"]
    assert "first" in {card["id"] for card in ready.get("/api/models").json()["items"]}
    answer = ready.submit(4, model="first", prompt="The ship")
    assert ready.wait_state(answer, "succeeded", seconds=PATIENCE)["result"]["lanes"][0]["text"]
    assert folders(ready, "first") == {"first"}


def test_a_process_that_is_killed_goes_on_from_its_checkpoint(ready: Installation) -> None:
    run = begin(ready, "killed", steps=400)
    wait_event(ready, run, "saved")
    assert child(ready).nice() == 19  # live answers come first
    group = Path(f"/proc/{ready.child('batch').pid}/autogroup")
    assert not group.exists() or group.read_text().endswith("nice 10\n")
    child(ready).kill()
    wait_for(lambda: ready.run(run)["attempt"] == 2)
    wait_event(ready, run, "train_steps", attempt=2)
    ready.http.post(f"/api/runs/{run}/save")
    ended = ready.wait_state(run, "succeeded", seconds=PATIENCE)
    assert ended["result"]["reason"] == "stopped"
    steps = [
        i
        for each in ready.log(run)
        if each["type"] == "train_steps" and each["attempt"] == 2
        for i in each["step"]
    ]
    assert steps[0] > 1
    assert steps == list(range(steps[0], ended["result"]["steps"] + 1))


def test_a_stop_leaves_a_checkpoint_and_the_run_goes_on_after_it(installation: Installation) -> None:
    installation.start()
    run = begin(installation, "mine", steps=2000, save_every=2000)
    wait_event(installation, run, "train_steps")
    installation.stop()
    assert any(
        path.name.startswith("step-") for path in (installation.home / "models" / ".mine.train").iterdir()
    )
    installation.start()
    wait_event(installation, run, "train_steps", attempt=2)
    told = next(
        each for each in installation.follow(run) if (each["type"], each["attempt"]) == ("train_steps", 2)
    )
    assert told["step"][0] > 1
    installation.cancel(run)
    installation.wait_state(run, "cancelled")


@pytest.mark.embedded
def test_a_run_that_was_paused_and_gone_on_with_is_one_that_was_not(ready: Installation) -> None:
    asked = {"steps": 60, "save_every": 50, "eval_every": 20, "dtype": "float32", "samples": ["The ship"]}
    straight = begin(ready, "paused-straight", **asked)
    ready.wait_state(straight, "succeeded", seconds=PATIENCE)
    first = begin(ready, "paused", **asked)
    wait_event(ready, first, "train_steps")
    ready.http.post(f"/api/runs/{first}/pause")
    ready.wait_state(first, "cancelled")
    step = ready.run(first)["resumable"]["step"]
    assert 0 < step < 60
    assert folders(ready, "paused") == {"paused-straight", ".paused.train"}
    second = begin(ready, "paused", resumes=first, **asked)
    ended = ready.wait_state(second, "succeeded", seconds=PATIENCE)
    assert ended["result"]["steps"] == 60
    assert (ready.run(first)["resumable"], folders(ready, "paused")) == (None, {"paused-straight", "paused"})
    assert weights(ready, "paused") == weights(ready, "paused-straight")
    assert curve(ready, "paused") == curve(ready, "paused-straight")
    assert points(ready, second) == points(ready, straight)
    log = ready.log(second)
    assert [each["from"] for each in log if each["type"] == "restart"] == [step]
    assert log[1]["type"] == "evaluated"  # its log begins with what the first one told


@pytest.mark.embedded
def test_a_run_that_dies_again_and_again_fails_and_goes_on_with_what_would_fit(ready: Installation) -> None:
    run = begin(ready, "dying", steps=400)
    for attempt in (1, 2, 3):
        wait_event(ready, run, "saved", attempt)
        child(ready).kill()
    ended = ready.wait_state(run, "failed")
    assert (ended["error"]["code"], ended["error"]["field"]) == ("out_of_memory", "plan.batch")
    change = ended["error"]["params"]["change"]
    assert change == {"checkpointing": True}
    step = ended["resumable"]["step"]
    again = begin(ready, "dying", steps=step + 3, resumes=run, **change)
    ended = ready.wait_state(again, "succeeded", seconds=PATIENCE)
    assert ended["result"]["steps"] == step + 3
    assert folders(ready, "dying") == {"dying"}


@pytest.mark.embedded
def test_a_full_disk_leaves_the_last_checkpoint_to_go_on_from(installation: Installation) -> None:
    models = installation.home / "models"
    shutil.rmtree(models)
    models.mkdir()
    with small_disk(models, "80m"):
        installation.start()
        run = begin(installation, "mine", steps=400)
        wait_event(installation, run, "saved")
        with (models / "ballast").open("wb") as ballast, suppress(OSError):
            while True:
                ballast.write(b"x" * (1 << 16))
        ended = installation.wait_state(run, "failed", seconds=PATIENCE)
        assert ended["error"]["code"] == "setup"
        assert "disk" in ended["error"]["message"]
        step = ended["resumable"]["step"]
        (models / "ballast").unlink()
        again = begin(installation, "mine", steps=step + 3, resumes=run)
        assert installation.wait_state(again, "succeeded", seconds=PATIENCE)["result"]["steps"] == step + 3
        installation.end()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk wants the right to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def weights(there: Installation, name: str) -> bytes:
    return (there.home / "models" / name / "model.safetensors").read_bytes()


def curve(there: Installation, name: str) -> list[dict[str, Any]]:
    """Every number of the kept curves that does not tell the time."""
    lines = (there.home / "models" / name / "curves.jsonl").read_text().splitlines()
    timed = ("tokens_per_s", "eta_s")
    return [{k: v for k, v in json.loads(line).items() if k not in timed} for line in lines]


def points(there: Installation, run: str) -> list[tuple[str, ...]]:
    """Of the CSV, what does not depend on which steps were told together."""
    found = list(csv.DictReader(there.get(f"/api/runs/{run}/curves.csv").text.splitlines()))
    names = ("step", "loss", "lr", "grad_norm", "eval_loss", "perplexity")
    return [tuple(row[name] for name in names) for row in found]


@pytest.mark.embedded
def test_cancel_leaves_nothing(ready: Installation) -> None:
    run = begin(ready, "cancelled", steps=5000)
    wait_event(ready, run, "saved")
    ready.cancel(run)
    ready.wait_state(run, "cancelled")
    assert folders(ready, "cancelled") == set()
    assert not ready.learning()


@pytest.mark.embedded
def test_a_probe_tells_how_long_it_takes_and_leaves_nothing(ready: Installation) -> None:
    before = {path.name for path in (ready.home / "models").iterdir()}
    run = ask(ready, kind="probe", plan=PLAN)
    ended = ready.wait_state(run, "succeeded", seconds=PATIENCE)
    told = ended["result"]
    assert (told["type"], told["steps"], told["rows"], told["held_out"]) == ("probe_result", 20, 9, 1)
    assert told["evaluations"] == 11
    parts = told["steps"] * told["step_s"] + told["evaluations"] * told["evaluation_s"] + told["rest_s"]
    assert told["seconds"] == pytest.approx(parts)
    assert {"phase", "probe_result"} <= set(types(ready.log(run)))
    assert not list((ready.home / "probes").glob("*"))
    assert {path.name for path in (ready.home / "models").iterdir()} == before


@pytest.mark.embedded
def test_a_newer_probe_takes_the_place_of_one_that_runs(ready: Installation) -> None:
    slow = ask(ready, kind="probe", plan={**PLAN, "batch": 64, "accumulation": 16, "length": 256})
    wait_event(ready, slow, "phase")
    quick = ask(ready, kind="probe", plan=PLAN, replaces=slow)
    ready.wait_state(slow, "cancelled")
    ready.wait_state(quick, "succeeded", seconds=PATIENCE)
    assert not list((ready.home / "probes").glob("*"))
    assert not ready.learning()
