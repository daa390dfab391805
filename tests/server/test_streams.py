"""Live streams against a real server: no gap, no double, no reader that holds the others up."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from serving import PNG, TOKEN, Queue, Running, Worker, ask, picture, preview, tokens, until

from imfine.server import hub
from imfine.settings import Settings


def submit(running: Running, **more: Any) -> str:
    run: str = running.http.post("/api/runs", json=ask(**more)).json()["id"]
    return run


def answer(running: Running, run: str, posts: int, pause_s: float = 0.0) -> None:
    worker = Worker(running.http)
    worker.claim(run)
    for i in range(posts):
        assert worker.events(run, i + 1, tokens(2 * i), tokens(2 * i + 1)).status_code == 200
        time.sleep(pause_s)
    worker.finish(run, posts + 1)


def test_a_runs_stream_tells_all_and_ends(running: Running) -> None:
    run = submit(running)
    thread = threading.Thread(target=answer, args=(running, run, 30, 0.005))
    thread.start()
    seen = list(running.stream(f"/api/runs/{run}/events"))
    thread.join()
    assert [e["start"] for e in seen if e["type"] == "tokens"] == list(range(60))
    assert [e["state"] for e in seen if e["type"] == "state"] == ["queued", "running", "succeeded"]
    assert {e["run"] for e in seen} == {run}
    ids = [e["id"] for e in seen]
    assert ids == sorted(set(ids))
    assert list(running.stream(f"/api/runs/{run}/events")) == seen  # it can be read again
    assert list(running.stream(f"/api/runs/{run}/events", last=ids[-3])) == seen[-2:]
    assert list(running.stream(f"/api/runs/{run}/events", last=ids[-1])) == []
    assert list(running.stream(f"/api/runs/{run}/events?last={ids[-2]}")) == seen[-1:]


def test_a_reader_that_comes_and_goes_misses_nothing(running: Running) -> None:
    run = submit(running)
    thread = threading.Thread(target=answer, args=(running, run, 150, 0.002))
    thread.start()
    seen: list[dict[str, Any]] = []
    visits = 0
    while not seen or seen[-1].get("state") != "succeeded":
        visits += 1
        for event in running.stream(f"/api/runs/{run}/events", last=seen[-1]["id"] if seen else 0):
            seen.append(event)
            if len(seen) % 17 == 0:
                break
    thread.join()
    assert visits > 10
    assert [e["start"] for e in seen if e["type"] == "tokens"] == list(range(300))


def test_a_page_follows_its_runs_and_everybodys_states(running: Running) -> None:
    seen: list[dict[str, Any]] = []
    earlier = submit(running, page="mine")  # before the stream: not told

    def read() -> None:
        for event in running.stream(f"/api/events?page=mine&runs={named}"):
            seen.append(event)

    named = submit(running)
    threading.Thread(target=read, daemon=True).start()
    until(lambda: len(running.server.context.hub.readers) == 1)
    mine, others = submit(running, page="mine"), submit(running, page="other")
    for run in (mine, others, named):
        answer(running, run, 1)
    until(lambda: sum(e.get("state") == "succeeded" for e in seen) == 3)
    assert {e["run"] for e in seen if e["type"] == "tokens"} == {mine, named}
    states = [e["state"] for e in seen if e["run"] == others and e["type"] == "state"]
    assert (states[0], states[-1]) == ("queued", "succeeded")
    told = next(e for e in seen if e["run"] == others)
    assert (told["model"], told["kind"], told["page"], told["position"]) == ("tiny", "generate", "other", 3)
    assert told["name"]
    assert not any(e["run"] == earlier and e["type"] == "state" and e["state"] != "queued" for e in seen)


def test_a_page_that_slept_catches_up(running: Running) -> None:
    runs = [submit(running, page="mine") for _ in range(3)]
    for run in runs:
        answer(running, run, 3)
    seen = []
    for event in running.stream("/api/events?page=mine", last=0):
        seen.append(event)
        if event["run"] == runs[-1] and event.get("state") == "succeeded":
            break
    assert sum(e["type"] == "tokens" for e in seen) == 18


def test_a_server_that_restarts_goes_on_where_it_was(settings: Settings, queue: Queue) -> None:
    running = Running(settings, queue)
    run = submit(running)
    worker = Worker(running.http)
    worker.claim(run)
    worker.events(run, 1, tokens(0))
    seen = []
    for event in running.stream(f"/api/runs/{run}/events"):
        seen.append(event)
        if event["type"] == "tokens":
            break
    running.stop()
    running = Running(settings, queue)
    try:
        worker = Worker(running.http)
        assert worker.claim(run).status_code == 409  # nobody is judged before a lease has passed
        assert worker.events(run, 1, tokens(0)).status_code == 200  # the repeat of what was answered or not
        worker.events(run, 2, tokens(1))
        worker.finish(run, 3)
        seen += running.stream(f"/api/runs/{run}/events", last=seen[-1]["id"])
        assert [e["start"] for e in seen if e["type"] == "tokens"] == [0, 1]
        assert seen[-1]["state"] == "succeeded"
        assert len({e["id"] for e in seen}) == len(seen)
    finally:
        running.stop()


def raw_stream(running: Running, path: str) -> socket.socket:
    """A reader that does not read."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", running.port))
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    reader.sendall(head.encode())
    return reader


def test_a_slow_reader_is_dropped_and_may_return(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BUFFER_BYTES", 500_000)
    run = submit(running)
    worker = Worker(running.http)
    worker.claim(run)
    reader = raw_stream(running, f"/api/runs/{run}/events")
    context = running.server.context
    until(lambda: len(context.hub.readers) == 1)
    seq = 0
    while context.hub.dropped == 0:
        seq += 1
        assert seq < 200, "never dropped"
        assert worker.events(run, seq, tokens(seq, "x" * 100_000)).status_code == 200
    assert len(context.hub.readers) == 0
    worker.finish(run, seq + 1)
    reader.settimeout(10)
    while reader.recv(1 << 16):  # what was under way, then the end
        pass
    reader.close()
    seen = list(running.stream(f"/api/runs/{run}/events", last=3))
    assert [e["start"] for e in seen if e["type"] == "tokens"] == list(range(2, seq + 1))


def test_streams_hold_no_database_session(running: Running) -> None:
    readers = [raw_stream(running, "/api/events") for _ in range(60)]
    context = running.server.context
    until(lambda: len(context.hub.readers) == 60)
    began = time.monotonic()
    for _ in range(10):
        assert running.http.get("/api/runs").status_code == 200
    assert time.monotonic() - began < 5
    assert context.store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    for reader in readers:
        reader.close()
    until(lambda: len(context.hub.readers) == 0)  # who leaves is noticed


def test_a_shutdown_ends_open_streams_in_time(settings: Settings, queue: Queue) -> None:
    running = Running(settings, queue)
    ended = threading.Event()

    def read() -> None:
        list(running.stream("/api/events"))  # ends properly: no error
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    stuck = raw_stream(running, "/api/events")
    until(lambda: len(running.server.context.hub.readers) == 2)
    assert running.stop() < 4
    assert ended.wait(2)
    stuck.close()


def test_a_stream_shows_that_it_lives(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imfine.server.stream.PING_S", 0.1)
    reader = raw_stream(running, "/api/events")
    reader.settimeout(5)
    heard = b""
    while heard.count(b": ping") < 3:
        heard += reader.recv(4096)
    reader.close()
    head = heard.lower()
    assert b"x-accel-buffering: no" in head
    assert b"x-last-event-id: 0" in head


@pytest.mark.parametrize("last", ["-1", "x", str(2**63), "1e3"])
def test_a_last_id_that_is_none(running: Running, last: str) -> None:
    answer = running.http.get("/api/events", params={"last": last})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "last"


def test_a_body_without_end_is_answered_and_cut_off(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imfine.server.body.DRAIN_BYTES", 100_000)
    sender = socket.create_connection(("127.0.0.1", running.port))
    sender.settimeout(10)
    head = (
        f"POST /api/runs HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sender.sendall(head.encode())
    for _ in range(18):
        sender.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    heard = b""
    while part := sender.recv(4096):
        heard += part
    assert heard.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in heard.lower()
    sender.close()


def test_previews_are_for_who_listens_now(running: Running) -> None:
    run = submit(running, page="mine")
    seen: dict[str, list[dict[str, Any]]] = {"run": [], "page": [], "other": []}
    paths = {
        "run": f"/api/runs/{run}/events",
        "page": "/api/events?page=mine",
        "other": "/api/events?page=no",
    }

    def read(who: str) -> None:
        for event in running.stream(paths[who]):
            seen[who].append(event)
            if event.get("state") == "succeeded":
                return

    threads = [threading.Thread(target=read, args=(who,)) for who in paths]
    for thread in threads:
        thread.start()
    until(lambda: len(running.server.context.hub.readers) == 3)
    worker = Worker(running.http)
    worker.claim(run)
    for who in ("run", "page"):  # they are through with the log, which a preview must not come before
        until(lambda who=who: any(e.get("state") == "running" for e in seen[who]))
    for step in range(1, 4):
        assert worker.events(run, step, preview(step), preview(step, lane=1)).status_code == 200
        until(lambda step=step: sum(e.get("step") == step for e in seen["run"] + seen["page"]) == 4)
    worker.upload(run)
    worker.events(run, 4, preview(4), picture(), tokens(0))
    worker.events(run, 4, preview(5))  # a repeat: told already
    worker.finish(run, 5)
    for thread in threads:
        thread.join(10)
    for who in ("run", "page"):
        told = [e for e in seen[who] if e["type"] == "preview"]
        assert [(e["step"], e["lane"]) for e in told] == [
            (1, 0),
            (1, 1),
            (2, 0),
            (2, 1),
            (3, 0),
            (3, 1),
            (4, 0),
        ]
        assert all("id" not in e for e in told)
        assert told[0] == preview(1) | {"run": run, "attempt": 1}
        assert [e["type"] for e in seen[who]][-4:] == ["preview", "picture", "tokens", "state"]
    assert not any(e["type"] == "preview" for e in seen["other"])
    kept = list(running.stream(f"/api/runs/{run}/events"))
    assert kept == [e for e in seen["run"] if e["type"] != "preview"]
    assert [e["id"] for e in kept] == list(range(kept[0]["id"], kept[0]["id"] + len(kept)))


def test_a_reader_that_comes_back_resumes_behind_the_previews(running: Running) -> None:
    run = submit(running)
    worker = Worker(running.http)
    worker.claim(run)
    stream = running.stream(f"/api/runs/{run}/events")
    assert [next(stream)["type"], next(stream)["type"]] == ["state", "state"]
    until(lambda: len(running.server.context.hub.readers) == 1)
    worker.events(run, 1, tokens(0))
    last = next(stream)["id"]  # it is through with the log, which a preview must not come before
    worker.events(run, 2, preview(1))
    assert "id" not in next(stream)
    stream.close()
    worker.events(run, 3, preview(2), tokens(1), preview(3))
    worker.finish(run, 4)
    rest = list(running.stream(f"/api/runs/{run}/events", last=last))
    assert [e["type"] for e in rest] == ["tokens", "state"]


def test_a_slow_reader_loses_previews_and_nothing_else(running: Running) -> None:
    run = submit(running)
    worker = Worker(running.http)
    worker.claim(run)
    reader = raw_stream(running, f"/api/runs/{run}/events")
    context = running.server.context
    until(lambda: len(context.hub.readers) == 1)
    large = "x" * 300_000
    for step in range(1, 81):  # 24 MB of previews, more than any buffer
        assert worker.events(run, step, preview(step, data=large), tokens(step)).status_code == 200
    assert context.hub.dropped == 0
    worker.upload(run, PNG)
    worker.events(run, 81, picture())
    worker.finish(run, 82)
    reader.settimeout(10)
    heard = b""
    while not heard.endswith(b"\r\n0\r\n\r\n"):
        heard += reader.recv(1 << 20)
    reader.close()
    assert heard.count(b"event: tokens") == 80
    assert heard.count(b"event: picture\n") == 1
    assert 0 < heard.count(b"event: preview") < 40
