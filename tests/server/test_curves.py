"""A training run's curves as files: every step once, whatever its attempts did, in little memory."""

from __future__ import annotations

import csv
import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from serving import Worker, ask
from starlette.testclient import TestClient
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from test_train_runs import data, train  # noqa: F401 - data is a fixture

from imfine.server import curves, tensorboard
from imfine.server.context import Context
from imfine.store.events import Log


def steps(first: int, last: int, loss: float = 2.0) -> dict[str, Any]:
    each = list(range(first, last + 1))
    return {
        "type": "train_steps",
        "steps": 9,
        "step": each,
        "loss": [loss + i / 100 for i in each],
        "lr": [1e-4] * len(each),
        "grad_norm": [0.5] * len(each),
        "tokens": 100 * last,
        "tokens_per_s": 321.5,
        "epoch": last / 10,
        "eta_s": 1.0,
    }


def evaluated(step: int, loss: float) -> dict[str, Any]:
    return {"type": "evaluated", "step": step, "loss": loss, "perplexity": 7.4, "tokens": 60}


def restart(step: int) -> dict[str, Any]:
    return {"type": "restart", "from": step}


def rows(client: TestClient, run: str) -> list[dict[str, str]]:
    answer = client.get(f"/api/runs/{run}/curves.csv")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def run(client: TestClient, worker: Worker) -> str:
    """Two attempts: the first did five steps, the second goes on after the third."""
    made: str = train(client).json()["id"]
    worker.claim(made)
    worker.events(made, 1, evaluated(0, 3.0), steps(1, 2), steps(3, 5), evaluated(5, 2.5))
    worker.release(made)
    worker.claim(made)
    worker.events(made, 1, restart(3), evaluated(3, 2.8), steps(4, 6, loss=1.0), evaluated(6, 1.5), attempt=2)
    return made


def test_csv_tells_every_step_once(client: TestClient, run: str) -> None:
    answer = client.get(f"/api/runs/{run}/curves.csv")
    assert answer.text.splitlines()[0] == (
        "step,epoch,loss,lr,grad_norm,tokens,tokens_per_s,eval_loss,perplexity"
    )
    assert "filename*=UTF-8''mine-curves.csv" in answer.headers["content-disposition"]
    found = rows(client, run)
    assert [int(each["step"]) for each in found] == [0, 1, 2, 3, 4, 5, 6]
    assert [each["loss"] for each in found] == ["", "2.01", "2.02", "2.03", "1.04", "1.05", "1.06"]
    assert {each["step"]: each["eval_loss"] for each in found if each["eval_loss"]} == {
        "0": "3.0", "3": "2.8", "6": "1.5",
    }  # fmt: skip
    assert (found[2]["tokens"], found[3]["tokens"], found[6]["epoch"]) == ("200", "", "0.6")


def test_tensorboard_reads_the_same(client: TestClient, run: str) -> None:
    answer = client.get(f"/api/runs/{run}/tensorboard")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "''events.out.tfevents." in answer.headers["content-disposition"]
    first, *events = read(answer.content)
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in events] == [0, 1, 2, 3, 4, 5, 6]
    told = [{value.tag: value.simple_value for value in event.summary.value} for event in events]
    assert told[0] == {"held_out/loss": 3.0, "held_out/perplexity": pytest.approx(7.4)}
    assert told[6]["train/loss"] == pytest.approx(1.06)
    assert told[6]["held_out/loss"] == 1.5
    times = [event.wall_time for event in events]
    assert times == sorted(times)


def test_a_record_is_what_tensorboard_x_writes(tmp_path: Path) -> None:
    """Its own reader would take what a wrong checksum hides."""
    wanted = Event(wall_time=1.5, step=300)
    for tag, value in (("train/loss", 2.5), ("b", -1.0)):
        wanted.summary.value.add(tag=tag, simple_value=value)
    writer = RecordWriter(str(tmp_path / "record"))
    writer.write(wanted.SerializeToString(deterministic=True))
    writer.close()
    ours = tensorboard.record(1.5, 300, {"train/loss": 2.5, "b": -1.0})
    assert ours == (tmp_path / "record").read_bytes()


def read(file: bytes) -> list[Event]:
    events, at = [], 0
    while at < len(file):
        (length,) = struct.unpack("<Q", file[at : at + 8])
        events.append(Event.FromString(file[at + 12 : at + 12 + length]))
        at += 16 + length
    return events


def test_a_run_that_waits_has_a_head_only(client: TestClient) -> None:
    made = train(client).json()["id"]
    assert rows(client, made) == []
    assert len(read(client.get(f"/api/runs/{made}/tensorboard").content)) == 1


@pytest.mark.parametrize("file", ["curves.csv", "tensorboard"])
def test_a_run_that_learns_nothing_has_none(client: TestClient, file: str) -> None:
    made = client.post("/api/runs", json=ask()).json()["id"]
    answer = client.get(f"/api/runs/{made}/{file}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (404, "id")
    assert client.get(f"/api/runs/nope/{file}").status_code == 404


def test_thirty_thousand_points_take_little_memory(client: TestClient, context: Context) -> None:
    made = train(client).json()["id"]
    with context.store.writing, context.store.write() as connection:
        log = Log(connection)
        for first in range(1, 30_000, 5):
            log.append(connection, made, None, 1, [steps(first, first + 4)])
    context.life._log.last_id = log.last_id
    tracemalloc.start()
    size = sum(map(len, curves.as_csv(context.store, made)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 600_000
    assert most < 3_000_000
    assert sum(1 for _ in curves.points(context.store, made)) == 30_000
