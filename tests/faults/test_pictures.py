"""Pictures by the starter that ships, through server, queue and worker: whatever dies, each is kept."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backends import Backend
from installation import PAINTER, Installation, types, wait_for
from PIL import Image

from imfine.core.image import png
from imfine.jobs import names

pytestmark = pytest.mark.slow

STEPS = 100  # enough to be caught at work


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_backend: Backend) -> Iterator[Installation]:
    """Started, with a warm model."""
    made = Installation(tmp_path_factory.mktemp("shared"), shared_backend.environment())
    try:
        made.start()
        made.wait_state(made.paint(steps=1), "succeeded")
        yield made
    finally:
        made.end()


@pytest.fixture
def alone(tmp_path: Path, backend: Backend) -> Iterator[Installation]:
    """Not started."""
    made = Installation(tmp_path / "home", backend.environment())
    try:
        yield made
    finally:
        made.end()


def pictures(installation: Installation, events: list[dict[str, Any]], attempt: int) -> dict[str, bytes]:
    """The files of an attempt's pictures, served by the hash that the event names."""
    files = {}
    for event in events:
        if event["type"] == "picture" and event["attempt"] == attempt:
            data = installation.get(event["url"]).content
            assert hashlib.sha256(data).hexdigest() == event["sha256"]
            assert len(data) == event["size"]
            files[event["sha256"]] = data
    return files


def check(installation: Installation, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The run ended well in its last attempt: each picture of the result was told there, and is kept.
    Returns its log."""
    events = installation.log(run["id"])
    files = pictures(installation, events, run["attempt"])
    named = [picture["sha256"] for lane in run["result"]["lanes"] for picture in lane["pictures"]]
    assert set(named) == set(files)
    for data in files.values():
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (64, 64)
    assert types(events)[-2:] == ["result", "succeeded"]
    return events


def test_from_the_first_state_to_the_last(shared: Installation) -> None:
    run_id = shared.paint(steps=6, image={"count": 2}, recipe={"attn": 1.5})
    live = list(shared.follow(run_id))
    run = shared.wait_state(run_id, "succeeded")
    events = check(shared, run)
    assert [event for event in live if event["type"] != "preview"] == events
    seen = [event for event in live if event["type"] == "preview"]
    assert {(event["lane"], event["index"]) for event in seen} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all("id" not in event and event["steps"] == 6 for event in seen)
    base, tuned = run["result"]["lanes"]
    assert [len(base["pictures"]), len(tuned["pictures"])] == [2, 2]
    assert base["pictures"][0]["sha256"] != tuned["pictures"][0]["sha256"]
    assert run["result"]["checksum"]["verified"]
    assert run["worker"].startswith("live-")
    [apple] = [e for e in events if e["type"] == "picture" and e["lane"] == 1 and e["index"] == 1]
    says = png.read(shared.get(apple["url"]).content)
    assert [says["prompt"], says["recipe"], says["seed"]] == ["a red apple", {"attn": 1.5}, 8]


@pytest.mark.embedded
def test_a_run_made_again_paints_the_same_files(shared: Installation) -> None:
    """The original's from the first time on. The tuned model's once it is painted alone: with the original
    beside it the batch is another, and the last bits are."""
    runs = [shared.wait_state(shared.paint(prompt="달 🌙"), "succeeded")]
    for _ in range(2):
        made = shared.http.post(f"/api/runs/{runs[0]['id']}/again").json()
        runs.append(shared.wait_state(made["id"], "succeeded"))
        check(shared, runs[-1])
    base, tuned = zip(*([lane["pictures"] for lane in run["result"]["lanes"]] for run in runs), strict=True)
    assert base[0] == base[1] == base[2]
    assert tuned[1] == tuned[2]


def test_a_move_takes_the_place_of_the_one_before(shared: Installation) -> None:
    first = shared.paint(steps=STEPS)
    shared.wait_preview(first)
    second = shared.paint(steps=3, replaces=first)
    assert shared.wait_state(first, "cancelled", seconds=3)["result"] is None
    check(shared, shared.wait_state(second, "succeeded", seconds=5))


@pytest.mark.embedded
def test_a_picture_is_cancelled_at_the_next_step_and_stays_so(shared: Installation) -> None:
    run = shared.paint(steps=STEPS)
    shared.wait_preview(run)
    shared.cancel(run)
    found = shared.wait_state(run, "cancelled", seconds=3)
    assert shared.cancel(run)["state"] == "cancelled"
    assert found["result"] is None
    ends = [event for event in shared.log(run) if event["type"] == "lane_end"]
    assert [(event["finish_reason"], event["tokens"]) for event in ends] == [("cancelled", 0)] * 2


def test_the_same_message_twice_is_one_picture(shared: Installation) -> None:
    run = shared.paint(steps=20)
    shared.wait_preview(run)
    shared.publish(names.TASK, [run])
    found = shared.wait_state(run, "succeeded")
    shared.publish(names.TASK, [run])
    shared.wait_state(shared.paint(steps=1), "succeeded")
    assert found["attempt"] == shared.run(run)["attempt"] == 1
    events = check(shared, found)
    assert "restart" not in types(events)
    assert [event["lane"] for event in events if event["type"] == "picture"] == [0, 1]


def test_a_killed_worker_is_replaced_and_its_picture_painted_again(shared: Installation) -> None:
    run = shared.paint(steps=STEPS // 2)
    shared.wait_preview(run, step=5)
    os.kill(shared.child("live").pid, signal.SIGKILL)
    found = shared.wait_state(run, "succeeded", seconds=90)
    assert found["attempt"] == 2
    events = check(shared, found)
    assert [event["from"] for event in events if event["type"] == "restart"] == [0]
    assert types(events).count("succeeded") == 1


def test_a_server_without_room_that_goes_away_during_an_upload(alone: Installation) -> None:
    """The worker keeps what it has painted until the server has it: the same attempt, nothing told twice."""
    alone.start_server_alone()
    worker = alone.start_worker()
    (alone.home / "artifacts").write_text("where the pictures' folder should be")
    run = alone.paint()
    wait_for(lambda: "answered 507" in "".join(alone.said))
    assert alone.run(run)["state"] == "running"
    alone.stop(signal.SIGKILL)
    wait_for(lambda: "does not answer" in "".join(alone.said))
    (alone.home / "artifacts").unlink()
    alone.start_server_alone()
    found = alone.wait_state(run, "succeeded")
    assert found["attempt"] == 1
    events = check(alone, found)
    assert "restart" not in types(events)
    assert [event["lane"] for event in events if event["type"] == "picture"] == [0, 1]
    worker.terminate()
    assert worker.wait(10) == 0


@pytest.mark.embedded
def test_sigterm_gives_the_run_back_within_its_ten_seconds(alone: Installation) -> None:
    alone.start()
    run = alone.paint(steps=STEPS)
    alone.wait_preview(run)
    began = time.monotonic()
    assert alone.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    alone.start()
    assert alone.run(run)["state"] in ("queued", "running")
    assert alone.cancel(run)
    alone.wait_state(run, "cancelled", seconds=20)


@pytest.mark.embedded
def test_words_go_on_while_a_picture_is_painted(shared: Installation, tiny: Path) -> None:
    shutil.copytree(tiny, shared.home / "models" / "tiny")
    run = shared.paint(steps=STEPS)
    shared.wait_preview(run)
    shared.wait_state(shared.submit(tokens=8), "succeeded", seconds=30)
    assert shared.run(run)["state"] == "running"
    shared.cancel(run)
    shared.wait_state(run, "cancelled", seconds=3)


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("more", "field", "remedy"),
    [
        ({"image": {"width": 65, "height": 64}}, "image.width", "64 or"),
        ({"image": {"steps": 10_000}}, "image.steps", "150"),
        ({"recipe": {"tone": 2}}, "recipe.tone", "1"),
        ({"recipe": {"bands": {"attn": [1.0, 1.2]}}}, "recipe.bands.attn", "give"),
        ({"prompt": ""}, "prompt", "write"),
        ({"sampling": {"top_p": 0.5}}, "sampling", "image"),
        ({"image": {"scheduler": "ddpm"}}, "image.scheduler", "openapi"),
        ({"image": {"guidance": 31}}, "image.guidance", "30"),
    ],
)
def test_what_cannot_be_painted_is_refused(
    shared: Installation, more: dict[str, Any], field: str, remedy: str
) -> None:
    body = {"kind": "generate", "model": PAINTER, "prompt": "a red apple"} | more
    answer = shared.http.post("/api/runs", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["field"] == field
    assert remedy in error["remedy"]


@pytest.mark.embedded
def test_a_prompt_in_emoji_is_painted(shared: Installation) -> None:
    check(shared, shared.wait_state(shared.paint(prompt="🍎🔥👩‍🚀"), "succeeded"))
