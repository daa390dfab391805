"""A training run's curves out of its log: as points, as CSV, as TensorBoard's event file. Knows no HTTP.

The log is read in parts, so that no session is held and memory stays small however long a run is.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from imfine.server import tensorboard
from imfine.store.engine import Store
from imfine.store.events import of_types
from imfine.store.runs import Head

PART = 500  # events at once
ARRAYS = ("step", "loss", "lr", "grad_norm")  # of a `train_steps` event
SCALARS = {  # as TensorBoard shows them: a group, a name
    "loss": "train/loss",
    "lr": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "tokens_per_s": "train/tokens_per_s",
    "eval_loss": "held_out/loss",
    "perplexity": "held_out/perplexity",
}


@dataclass
class Point:
    """What is known of a step. Of several that were told together only the last has epoch, tokens, speed."""

    step: int
    epoch: float | None = None
    loss: float | None = None
    lr: float | None = None
    grad_norm: float | None = None
    tokens: int | None = None
    tokens_per_s: float | None = None
    eval_loss: float | None = None
    perplexity: float | None = None


COLUMNS = tuple(each.name for each in fields(Point))


def kept_events(store: Store, run_id: str) -> Iterator[dict[str, Any]]:
    """`train_steps`, `evaluated` and `sampled` in their order, without what a later attempt did again."""
    restarts = [json.loads(data) for _, data in _logged(store, run_id, ("restart",))]
    for _, data in _logged(store, run_id, ("train_steps", "evaluated", "sampled")):
        event = json.loads(data)
        last = min(
            (each["from"] for each in restarts if each["attempt"] > event["attempt"]), default=math.inf
        )
        if event["type"] == "train_steps":
            event = upto(event, last)
            if event["step"]:
                yield event
        elif event["step"] <= last:
            yield event


def joined_events(store: Store, run_id: str, last: int) -> Iterator[dict[str, Any]]:
    """`kept_events` up to step `last`, for another run's log to begin with; many steps in one event."""
    waiting: dict[str, Any] | None = None
    for event in kept_events(store, run_id):
        told = {name: value for name, value in event.items() if name not in ("run", "attempt")}
        if told["type"] != "train_steps":
            if waiting is not None:
                yield waiting
            waiting = None
            if told["step"] <= last:
                yield told
        elif (told := upto(told, last))["step"]:
            if waiting is not None and len(waiting["step"]) >= PART:
                yield waiting
                waiting = None
            waiting = (
                told if waiting is None else told | {name: waiting[name] + told[name] for name in ARRAYS}
            )
    if waiting is not None:
        yield waiting


def upto(event: dict[str, Any], last: float) -> dict[str, Any]:
    """A `train_steps` event without the steps after `last`, and without what it tells of its last one."""
    kept = sum(step <= last for step in event["step"])
    if kept == len(event["step"]):
        return event
    arrays = {name: event[name][:kept] for name in ARRAYS}
    return event | arrays | dict.fromkeys(("epoch", "tokens", "tokens_per_s"))


def points(store: Store, run_id: str) -> Iterator[Point]:
    """By step, which rises."""
    waiting: Point | None = None
    for event in kept_events(store, run_id):
        for point in _points_of(event):
            if waiting is not None and waiting.step == point.step:
                _fill(waiting, point)
                continue
            if waiting is not None:
                yield waiting
            waiting = point
    if waiting is not None:
        yield waiting


def as_csv(store: Store, run_id: str) -> Iterator[bytes]:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for count, point in enumerate(points(store, run_id)):
        lines.writerow(["" if (value := getattr(point, name)) is None else value for name in COLUMNS])
        if count % PART == PART - 1:
            yield _taken(text)
    yield _taken(text)


def as_tensorboard(store: Store, run: Head, now_ms: int) -> Iterator[bytes]:
    """The log keeps no times: the steps are spread evenly from the run's start to its end, or to now."""
    began = (run.started_ms or run.created_ms) / 1000
    ended = (run.finished_ms or now_ms) / 1000
    part = bytearray(tensorboard.head(began))
    steps = _last_step(store, run.id) or 1
    for count, point in enumerate(points(store, run.id)):
        at = began + (ended - began) * min(1.0, point.step / steps)
        values = {tag: value for name, tag in SCALARS.items() if (value := getattr(point, name)) is not None}
        part += tensorboard.record(at, point.step, values)
        if count % PART == PART - 1:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _logged(store: Store, run_id: str, types: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    last = 0
    while True:
        with store.read() as connection:
            found = of_types(connection, run_id, types, last, PART)
        yield from found
        if len(found) < PART:
            return
        last = found[-1][0]


def _points_of(event: dict[str, Any]) -> Iterator[Point]:
    if event["type"] == "evaluated":
        yield Point(event["step"], eval_loss=event["loss"], perplexity=event["perplexity"])
    if event["type"] != "train_steps":
        return
    rows = list(zip(event["step"], event["loss"], event["lr"], event["grad_norm"], strict=True))
    for i, (step, loss, lr, grad_norm) in enumerate(rows):
        point = Point(step, loss=loss, lr=lr, grad_norm=grad_norm)
        if i == len(rows) - 1:
            point.epoch, point.tokens = event["epoch"], event["tokens"]
            point.tokens_per_s = event["tokens_per_s"]
        yield point


def _fill(point: Point, other: Point) -> None:
    for name in COLUMNS:
        if (value := getattr(other, name)) is not None:
            setattr(point, name, value)


def _last_step(store: Store, run_id: str) -> int | None:
    """How many steps the run has, by its first event that says so."""
    with store.read() as connection:
        found = of_types(connection, run_id, ("train_steps",), 0, 1)
    return json.loads(found[0][1])["steps"] if found else None


def _taken(text: io.StringIO) -> bytes:
    said = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return said
