"""Whatever ends: the server, its parent, a broker, a database. Nothing is lost, nothing is left running."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from backends import Backend
from installation import LONG, Installation, text, types, wait_for
from proxy import Proxy

pytestmark = pytest.mark.slow


def warm(installation: Installation) -> None:
    installation.wait_state(installation.submit(tokens=2), "succeeded")


def gone(processes: list[psutil.Process], seconds: float) -> None:
    _, alive = psutil.wait_procs(processes, seconds)
    assert alive == []


def test_sigterm_gives_the_run_back_and_leaves_no_process(anew):
    anew.start()
    run = anew.submit(tokens=LONG)
    anew.wait_tokens(run)
    children = anew.children()
    assert len(children) == 2
    for one in (anew.process.pid, anew.child("batch").pid):  # the run's own process has it
        assert "libtorch" not in Path(f"/proc/{one}/maps").read_text()
    streamed: list[dict] = []
    reader = threading.Thread(target=lambda: streamed.extend(anew.follow(run)))
    reader.start()
    began = time.monotonic()
    assert anew.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    reader.join(1)
    assert not reader.is_alive()
    assert types(streamed)[-1] == "queued"
    gone(children, 0.5)

    anew.start()
    found = anew.wait_state(run, "succeeded")
    assert found["attempt"] == 2
    events = anew.log(run)
    assert events[: len(streamed)] == streamed
    assert text(events, 1, 2) == found["result"]["lanes"][1]["text"]


@pytest.mark.embedded
def test_ctrl_c_ends_it_and_a_second_one_at_once(anew):
    anew.start()
    children = anew.children()
    assert anew.stop(signal.SIGINT) == 130
    gone(children, 0.5)

    anew.start()
    children = anew.children()
    for child in children:
        child.suspend()  # they do not hear the first
    anew.process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert anew.process.poll() is None
    began = time.monotonic()
    assert anew.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 3
    gone(children, 0.5)


def test_a_killed_parent_takes_its_children_along_and_the_run_is_answered_later(anew):
    anew.start()
    run = anew.submit(tokens=LONG)
    anew.wait_tokens(run)
    children = anew.children()
    anew.stop(signal.SIGKILL)
    gone(children, 10)

    anew.start()
    found = anew.wait_state(run, "succeeded")
    assert found["attempt"] == 2
    assert types(anew.log(run)).count("restart") == 1


def test_the_server_restarts_while_an_answer_streams(installation):
    """The worker waits for the server and reports the rest: the same attempt, no gap, nothing twice."""
    installation.start_server_alone()
    worker = installation.start_worker()
    warm(installation)
    run = installation.submit(tokens=LONG)
    installation.wait_tokens(run)
    before = installation.run(run)
    installation.stop(signal.SIGKILL)
    time.sleep(0.5)
    installation.start_server_alone()
    found = installation.wait_state(run, "succeeded")
    assert (found["attempt"], found["worker"]) == (1, before["worker"])
    events = installation.log(run)
    assert text(events, 0, 1) == found["result"]["lanes"][0]["text"]
    assert "restart" not in types(events)
    worker.terminate()
    assert worker.wait(10) == 0


def test_a_worker_that_is_stopped_gives_its_run_to_another(installation):
    installation.start_server_alone()
    first, second = installation.start_worker(), installation.start_worker()
    run = installation.submit(tokens=LONG)
    installation.wait_tokens(run)
    working = installation.run(run)["worker"]
    pid = next(each["pid"] for each in installation.workers() if each["worker"] == working)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert {first.pid: first, second.pid: second}[pid].wait(10) == 0
    assert time.monotonic() - began < 10
    found = installation.wait_state(run, "succeeded")
    assert (found["attempt"], found["worker"] == working) == (2, False)


@pytest.mark.embedded
def test_two_on_one_home_or_one_port(installation, tmp_path):
    installation.start()
    second = Installation(installation.home, installation.environment)
    second.start(ready=False)
    assert second.process.wait(20) == 1
    assert f"runs already with the home {installation.home}: http://127.0.0.1:{installation.port}" in said(
        second
    )
    third = Installation(tmp_path / "other", {})
    third.environment["IMFINE_PORT"] = str(installation.port)
    third.start(ready=False)
    assert third.process.wait(20) == 1
    assert f"port {installation.port} is taken by another I'm Fine" in said(third)
    warm(installation)


def said(installation: Installation) -> str:
    wait_for(lambda: "→" in "".join(installation.said))
    return "".join(installation.said)


# ---------------------------------------------------------------- broker and database


@pytest.fixture
def lines(backend: Backend, installation: Installation) -> Iterator[dict[str, Proxy]]:
    """The lines to RabbitMQ and MariaDB; none for the embedded ones."""
    made = {}
    if backend.services:
        for name in ("IMFINE_BROKER_URL", "IMFINE_DATABASE_URL"):
            url = urlsplit(installation.environment[name])
            made[name] = Proxy(url.hostname, url.port or 5672)
            netloc = url.netloc.rpartition("@")[0] + f"@127.0.0.1:{made[name].port}"
            installation.environment[name] = url._replace(netloc=netloc).geturl()
    yield made
    for proxy in made.values():
        proxy.cut()


def test_a_run_that_is_submitted_while_the_broker_is_away(installation, lines):
    installation.start()
    warm(installation)
    queue = installation.home / "broker" / "queues" / "live"
    if lines:
        lines["IMFINE_BROKER_URL"].cut()
    else:
        shutil.rmtree(queue)
        queue.write_text("not a folder")
    began = time.monotonic()
    run = installation.submit()
    assert time.monotonic() - began < 2
    wait_for(lambda: not installation.get("/readyz", strict=False).json()["broker"]["ok"])
    assert installation.run(run)["state"] == "queued"
    if lines:
        lines["IMFINE_BROKER_URL"].mend()
    else:
        queue.unlink()
    found = installation.wait_state(run, "succeeded")
    assert found["attempt"] == 1


@pytest.mark.services
def test_broker_and_database_go_away_in_the_middle_of_an_answer(installation, lines):
    installation.start()
    warm(installation)
    run = installation.submit(tokens=LONG)
    installation.wait_tokens(run)
    lines["IMFINE_BROKER_URL"].cut()
    time.sleep(1)
    lines["IMFINE_BROKER_URL"].mend()
    assert installation.wait_state(run, "succeeded")["attempt"] == 1
    later = installation.submit()
    assert installation.wait_state(later, "succeeded")["attempt"] == 1

    run = installation.submit(tokens=LONG)
    installation.wait_tokens(run)
    lines["IMFINE_DATABASE_URL"].cut()
    time.sleep(1.5)
    assert installation.get(f"/api/runs/{run}", strict=False).status_code == 503
    lines["IMFINE_DATABASE_URL"].mend()
    found = wait_for(lambda: answered(installation, run))
    events = installation.log(run)
    assert text(events, 0, found["attempt"]) == found["result"]["lanes"][0]["text"]


def answered(installation: Installation, run: str) -> dict | None:
    answer = installation.get(f"/api/runs/{run}", strict=False)
    return answer.json() if answer.status_code == 200 and answer.json()["state"] == "succeeded" else None


# ---------------------------------------------------------------- the disk


@pytest.mark.embedded  # the disk of a database on another machine is not ours to fill
def test_a_full_disk_refuses_new_runs_and_loses_no_answer(installation):
    """No file of the server may grow any more; the worker keeps what it has to say until there is room."""
    installation.start()
    warm(installation)
    under_way = installation.submit(tokens=LONG)
    installation.wait_tokens(under_way)
    server = psutil.Process(installation.process.pid)
    before = server.rlimit(psutil.RLIMIT_FSIZE)
    server.rlimit(psutil.RLIMIT_FSIZE, (1, before[1]))
    try:
        body = {"kind": "generate", "model": "tiny", "prompt": "Hello"}
        answer = installation.http.post("/api/runs", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert "disk is not full" in answer.json()["error"]["remedy"]
        assert installation.run(under_way)["state"] == "running"
        assert installation.get("/api/runs").json()["total"] == 2
        time.sleep(1)
    finally:
        server.rlimit(psutil.RLIMIT_FSIZE, before)
    found = installation.wait_state(under_way, "succeeded")
    events = installation.log(under_way)
    assert text(events, 0, found["attempt"]) == found["result"]["lanes"][0]["text"]
    warm(installation)
