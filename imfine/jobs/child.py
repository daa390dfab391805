"""`python -m imfine.jobs.child`: one run that trains, or measures how long that would take, in a process that
may take all memory or die.

Reads the job as a line of JSON, then orders (save, pause, cancel), each a line. Writes events as lines of
JSON, and an error as {"type": "error", …}. Its input is its leash: when it closes, the worker is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from imfine.core import memory
from imfine.core.data.dataset import open_dataset
from imfine.core.models.load import use_cores
from imfine.core.train.data import Data
from imfine.core.train.events import ProbeResult, TrainEvent, TrainResult, to_json
from imfine.core.train.home import Home
from imfine.core.train.learner import Parent
from imfine.core.train.loop import Order, train
from imfine.core.train.named import found_parent
from imfine.core.train.plan import DEFAULT_LENGTH, Plan
from imfine.core.train.probe import probe
from imfine.core.train.result import finished
from imfine.core.train.room import in_words, lighter
from imfine.errors import ImfineError, OutOfMemory
from imfine.settings import settings

NICENESS = 19  # the least: whoever waits for an answer waits for the processor's next moment at most


class Orders:
    """The last word of the one who asked."""

    def __init__(self) -> None:
        self.last: Order = "go"

    def listen(self) -> None:
        for line in sys.stdin:
            word = line.strip()
            if word in ("save", "pause", "cancel"):
                self.last = word  # type: ignore[assignment]
        os._exit(1)


def work(job: dict[str, Any], orders: Orders) -> Iterator[TrainEvent | ProbeResult]:
    at, asked = settings(), job["request"]
    plan, trains = Plan.parse(asked["plan"]), job["kind"] == "train"
    out_dir = (at.models_dir / asked["name"]).absolute() if trains else None
    if out_dir is not None:
        home, resumes = Home(out_dir), asked.get("resumes")
        if (made := finished(out_dir, job["run"])) is not None:
            home.remove()
            yield made
            return
        home.own(job["run"], resumes)
    parent, _ = yield from found_parent(
        asked["model"], plan, at, revision=asked["revision"], any_folder=False
    )
    data = open_dataset(at.home / "datasets" / asked["dataset"])
    if out_dir is None:
        yield from _measured(parent, data, plan, Path(job["folder"]), orders)
    else:
        resume = job["attempt"] > 1 or resumes is not None
        yield from train(parent, data, plan, out_dir, resume=resume, stop=lambda: orders.last)


def _measured(
    parent: Parent, data: Data, plan: Plan, folder: Path, orders: Orders
) -> Iterator[TrainEvent | ProbeResult]:
    """Until somebody has another order."""
    for event in probe(parent, data, plan, folder):
        if orders.last != "go":
            return
        yield event


def main() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)  # live answers come first
    use_cores()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print is no event
    job = json.loads(sys.stdin.readline())
    orders = Orders()
    threading.Thread(target=orders.listen, name="orders", daemon=True).start()
    try:
        for event in work(job, orders):
            told = to_json(event)
            if isinstance(event, TrainResult):
                told["model"] = job["request"]["name"]
            _write(out, told)
    except ImfineError as error:
        _write(out, {"type": "error", **error.to_json()})
    except MemoryError as error:
        _write(out, {"type": "error", **_too_much(error, Plan.parse(job["request"]["plan"])).to_json()})
    out.flush()
    os._exit(0)  # the thread that listens sits in a read


def _too_much(error: MemoryError, plan: Plan) -> OutOfMemory:
    change = lighter(plan, plan.length or DEFAULT_LENGTH)
    return OutOfMemory(
        f"the memory ran out while it trained: {error}; {memory.available():,} bytes are free",
        remedy=f"go on with {in_words(change)}",
        field="plan.batch",
        change=change,
    )


def _write(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
