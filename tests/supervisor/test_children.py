"""A child starts again when it dies, ever more patiently, and ends when told to or let go of its leash."""

import os
import signal
import time
from pathlib import Path

import pytest

from imfine.supervisor import children
from imfine.supervisor.children import Child


@pytest.fixture
def child(tmp_path: Path):
    """Has a worker's token, and a server that nobody answers for."""
    env = {**os.environ, "IMFINE_HOME": str(tmp_path), "IMFINE_WORKER_TOKEN": "t", "IMFINE_PORT": "9"}
    child = Child("batch", env)
    child.start()
    yield child
    child.stop(signal.SIGKILL)
    child.join(time.monotonic() + 5)


def wait_dead(child: Child) -> int:
    until = time.monotonic() + 20
    while (code := child.died()) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return code


def test_a_child_that_dies_is_started_again_after_a_pause(child, monkeypatch):
    first = child.name
    os.kill(child.process.pid, signal.SIGKILL)
    assert wait_dead(child) == -signal.SIGKILL
    assert child.died() is None  # told once
    assert not child.start_again()
    time.sleep(children.FIRST_PAUSE_S)
    assert child.start_again()
    assert child.name != first
    assert child.running


def test_pauses_grow_and_a_steady_life_forgives(child, monkeypatch):
    pauses = []
    for _ in range(3):
        os.kill(child.process.pid, signal.SIGKILL)
        wait_dead(child)
        pauses.append(child._pause_s)
        child.start()
    monkeypatch.setattr(children, "STEADY_S", 0.0)
    os.kill(child.process.pid, signal.SIGKILL)
    wait_dead(child)
    assert [*pauses, child._pause_s] == [0.5, 1.0, 2.0, 0.5]


def test_a_child_ends_when_its_leash_is_let_go(child):
    time.sleep(2)  # until it listens; before that the signal's default ends it too
    child.process.stdin.close()
    assert child.process.wait(10) in (0, -signal.SIGTERM)
    child.process = None


def test_a_child_that_does_not_hear_is_killed(child):
    os.kill(child.process.pid, signal.SIGSTOP)
    child.stop()
    began = time.monotonic()
    child.join(began + 0.3)
    assert time.monotonic() - began < 2
    assert not child.running
