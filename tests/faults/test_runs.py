"""Runs through server, queue and worker: every state, cancelled at every stage, taken once."""

import os
import shutil
import signal

import httpx
import pytest
from installation import LONG, text, types, wait_for

from imfine.jobs import filesystem, names
from imfine.jobs.app import queue_name

pytestmark = pytest.mark.slow

DAMAGE = {
    "cut off": lambda whole: whole[: len(whole) // 2],
    "forged length": lambda whole: (2**63).to_bytes(8, "little") + whole[8:],
    "header beyond the file": lambda whole: len(whole).to_bytes(8, "little") + whole[8:],
    "no header": lambda whole: whole[:8] + b"\xff" * (len(whole) - 8),
    "empty": lambda whole: b"",
}


def test_an_answer_from_the_first_state_to_the_last(shared):
    run = shared.wait_state(shared.submit(tokens=20, top=2), "succeeded")
    events = shared.log(run["id"])
    assert types(events)[0] == "queued"
    assert types(events)[-2:] == ["result", "succeeded"]
    assert [run["attempt"], run["error"], run["phase"]] == [1, None, None]
    base, tuned = run["result"]["lanes"]
    assert [base["name"], tuned["name"]] == ["base", "tuned"]
    assert text(events, 0, 1) == base["text"]
    assert text(events, 1, 1) == tuned["text"]
    assert len(base["token_ids"]) == 20
    assert run["worker"].startswith("live-")
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})


@pytest.mark.embedded
@pytest.mark.parametrize("sampling", [{"greedy": True}, {"temperature": 1.0, "top_p": 0.9}])
def test_a_run_made_again_is_identical_and_both_say_what_they_were_made_with(shared, sampling):
    first = shared.wait_state(shared.submit(sampling={**sampling, "max_new_tokens": 30}), "succeeded")
    made = shared.http.post(f"/api/runs/{first['id']}/again").json()
    again = shared.wait_state(made["id"], "succeeded")
    assert again["request"] == first["request"]
    a, b = first["result"], again["result"]
    assert [lane["token_ids"] for lane in a["lanes"]] == [lane["token_ids"] for lane in b["lanes"]]
    assert set(a["versions"]) == {"imfine", "torch", "transformers", "threads"}
    assert all(a["versions"].values())
    for fact in ("versions", "dtype", "device", "seed", "checksum"):
        assert a[fact] == b[fact], fact


def test_a_reader_that_was_away_gets_the_rest(shared):
    run = shared.submit(tokens=300)
    whole = shared.log(run)
    middle = whole[len(whole) // 2]["id"]
    assert list(shared.follow(run, last=middle)) == [event for event in whole if event["id"] > middle]


def test_a_running_run_is_cancelled_at_the_next_token_and_stays_so(shared):
    run = shared.submit(tokens=LONG)
    shared.wait_tokens(run)
    shared.cancel(run)
    found = shared.wait_state(run, "cancelled", seconds=3)
    assert shared.cancel(run)["state"] == "cancelled"
    assert found["result"] is None
    ends = [event for event in shared.log(run) if event["type"] == "lane_end"]
    assert {event["finish_reason"] for event in ends} == {"cancelled"}


def test_a_run_that_is_done_stays_done(shared):
    run = shared.submit(tokens=4)
    shared.wait_state(run, "succeeded")
    assert shared.cancel(run)["state"] == "succeeded"


def test_a_queued_run_is_cancelled_and_never_starts(shared):
    worker = shared.child("live")
    worker.suspend()
    try:
        run = shared.submit()
        assert shared.run(run)["state"] == "queued"
        assert shared.cancel(run)["state"] == "cancelled"
    finally:
        worker.resume()
    following = shared.submit()
    shared.wait_state(following, "succeeded")
    assert types(shared.log(run)) == ["queued", "cancelled"]


def test_the_same_message_twice_is_one_answer(shared):
    run = shared.submit(tokens=200)
    shared.wait_tokens(run)
    shared.publish(names.TASK, [run])
    shared.wait_state(run, "succeeded")
    shared.publish(names.TASK, [run])
    shared.wait_state(shared.submit(), "succeeded")
    assert shared.run(run)["attempt"] == 1
    assert "restart" not in types(shared.log(run))


def test_messages_that_mean_nothing_do_not_stop_the_worker(shared):
    pid = shared.child("live").pid
    for name, args in (
        (names.TASK, []),
        (names.TASK, [1]),
        (names.TASK, ["../x"]),
        (names.TASK, ["0" * 26]),
        ("other", []),
    ):
        shared.publish(name, args)
    settings, app = shared.queue()
    with app.producer_pool.acquire() as producer:
        to = {"exchange": "", "routing_key": queue_name(names.LIVE, settings)}
        producer.publish({"no": "task"}, **to)
        producer.publish("text", headers={"task": names.TASK}, **to)
        producer.publish("text", headers={"task": ["a", "list"], "id": 1}, **to)
        producer.publish(
            b"\xff", content_type="application/x-python-serialize", content_encoding="binary", **to
        )
    if settings.broker_url is None:
        (shared.home / "broker" / "queues" / "live" / "0").write_bytes(b"")
    run = shared.submit()
    shared.wait_state(run, "succeeded")
    assert shared.child("live").pid == pid


def test_many_lanes_do_not_stand_in_the_way_of_live_answers(shared):
    lanes = [{"name": f"attn {i}", "recipe": {"attn": 0.5 + i / 10}} for i in range(names.LIVE_LANES + 1)]
    wide = shared.submit(tokens=100, lanes=lanes)
    shared.wait_state(shared.submit(tokens=4), "succeeded")
    run = shared.wait_state(wide, "succeeded")
    assert run["worker"].startswith("batch-")
    assert len(run["result"]["lanes"]) == names.LIVE_LANES + 1


def test_many_runs_at_once_are_all_answered(shared):
    runs = [shared.submit(tokens=30, prompt=f"Number {i}") for i in range(40)]
    for run in runs:
        assert shared.wait_state(run, "succeeded")["attempt"] == 1


@pytest.mark.embedded
def test_a_model_that_cannot_be_read_fails_its_run_and_nothing_else(shared):
    pid = shared.child("live").pid
    whole = (shared.home / "models" / "tiny" / "model.safetensors").read_bytes()
    broken = shared.home / "models" / "broken"
    broken.mkdir()
    for file in (shared.home / "models" / "tiny").iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    run = shared.http.post("/api/runs", json={"kind": "generate", "model": "broken", "prompt": "a"}).json()[
        "id"
    ]
    shared.wait_state(run, "succeeded")
    later = shared.home / "models" / "later"
    broken.rename(later)
    (later / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    answer = shared.http.post("/api/runs", json={"kind": "generate", "model": "later", "prompt": "a"})
    if answer.status_code == 202:
        assert shared.wait_state(answer.json()["id"], "failed")["error"]["code"] == "model_broken"
    else:
        assert answer.json()["error"]["code"] == "model_broken"
    shared.wait_state(shared.submit(), "succeeded")
    assert shared.child("live").pid == pid


@pytest.mark.embedded
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_model_that_breaks_while_its_run_waits_fails_it_with_the_reason(shared, tiny, damage):
    """The server found it whole; what the worker opens is another file."""
    worker = shared.child("live")
    folder = shared.home / "models" / f"damaged-{damage}"
    shutil.copytree(tiny, folder)
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    worker.suspend()
    try:
        body = {"kind": "generate", "model": folder.name, "prompt": "a"}
        answer = shared.http.post("/api/runs", json=body)
        assert answer.status_code == 202, answer.text
        file.write_bytes(DAMAGE[damage](whole))
    finally:
        worker.resume()
    error = shared.wait_state(answer.json()["id"], "failed")["error"]
    assert error["code"] == "model_broken", error
    assert "model.safetensors" in error["message"]
    assert error["remedy"]
    shared.wait_state(shared.submit(), "succeeded")
    assert shared.child("live").pid == worker.pid


@pytest.mark.embedded
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF",
        b"GGUF" + (3).to_bytes(4, "little") + (2**62).to_bytes(8, "little") + (2**62).to_bytes(8, "little"),
        b"GGML" + bytes(64),
    ],
    ids=["empty", "cut off", "counts beyond reason", "another format"],
)
def test_a_malformed_gguf_is_refused_and_the_worker_lives(shared, data):
    pid = shared.child("live").pid
    file = shared.home / "models" / "malformed.gguf"
    file.write_bytes(data)
    answer = shared.http.post("/api/runs", json={"kind": "generate", "model": str(file), "prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "model_broken"), answer.text
    assert answer.json()["error"]["remedy"]
    file.unlink()
    shared.wait_state(shared.submit(), "succeeded")
    assert shared.child("live").pid == pid


def test_a_killed_worker_is_replaced_and_its_run_answered_again(shared):
    run = shared.submit(tokens=LONG)
    shared.wait_tokens(run)
    os.kill(shared.child("live").pid, signal.SIGKILL)
    found = shared.wait_state(run, "succeeded")
    events = shared.log(run)
    assert found["attempt"] == 2
    assert [event["from"] for event in events if event["type"] == "restart"] == [0]
    assert text(events, 1, 2) == found["result"]["lanes"][1]["text"]
    assert len(found["result"]["lanes"][0]["token_ids"]) == LONG
    assert types(events).count("succeeded") == 1


def test_a_paused_worker_loses_its_run_and_is_refused_when_it_wakes(shared):
    first = shared.child("live")
    run = shared.submit(tokens=LONG)
    shared.wait_tokens(run)
    second = shared.start_worker()
    try:
        first.suspend()
        try:
            wait_for(lambda: shared.run(run)["attempt"] == 2)
        finally:
            first.resume()
        found = shared.wait_state(run, "succeeded")
    finally:
        second.terminate()
        assert second.wait(10) == 0
    events = shared.log(run)
    assert [found["attempt"], found["worker"] != "", types(events).count("restart")] == [2, True, 1]
    restart = next(event["id"] for event in events if event["type"] == "restart")
    assert {event["attempt"] for event in events if event["id"] >= restart} == {2}
    assert text(events, 0, 2) == found["result"]["lanes"][0]["text"]


def test_an_unknown_run_is_not_found(shared):
    with pytest.raises(httpx.HTTPStatusError):
        shared.http.post(f"/api/runs/{'0' * 26}/cancel").raise_for_status()


def test_the_broker_keeps_nothing_when_all_is_done(shared):
    settings, app = shared.queue()
    if settings.broker_url is None:
        wait_for(lambda: not list((shared.home / "broker" / "unacked").glob("*/*@*")))
        assert not list((shared.home / "broker" / "queues" / "live").iterdir())
        assert filesystem.REDELIVERED not in "".join(os.listdir(shared.home / "broker" / "queues" / "live"))
        return
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        wait_for(
            lambda: channel.queue_declare(queue_name(names.LIVE, settings), passive=True).message_count == 0
        )
