"""`python -m imfine.jobs.child`: one run that trains, measures how long that would take, or learns a knob, in
a process that may take all memory or die.

Reads the job as a line of JSON, then orders (save, pause, cancel), each a line. Writes events as lines of
JSON, and an error as {"type": "error", …}. Its input is its leash: when it closes, the worker is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

import imfine.core.libraries  # noqa: F401 (before torch)
from imfine.core import memory
from imfine.core.data.dataset import open_dataset
from imfine.core.events import Phase
from imfine.core.models.folders import ADAPTERS
from imfine.core.models.load import use_cores
from imfine.core.train.data import Data
from imfine.core.train.events import ProbeResult, SliderResult, TrainEvent, TrainResult, to_json
from imfine.core.train.home import Home
from imfine.core.train.learner import Parent
from imfine.core.train.loop import Order, train
from imfine.core.train.named import found_parent, found_source
from imfine.core.train.plan import Plan
from imfine.core.train.probe import probe
from imfine.core.train.result import finished
from imfine.core.train.sliders.slider import Slider, learned
from imfine.errors import ImfineError, OutOfMemory
from imfine.jobs.training import too_much
from imfine.settings import Settings, settings

ChildEvent = TrainEvent | ProbeResult | SliderResult
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


def work(job: dict[str, Any], orders: Orders) -> Iterator[ChildEvent]:
    at = settings()
    if job["kind"] == "train":
        yield from _trained(job, at, orders)
        return
    for event in _measured(job, at) if job["kind"] == "probe" else _learned(job, at):
        if orders.last != "go":  # nothing is kept of them before they are done
            return
        yield event


def _trained(job: dict[str, Any], at: Settings, orders: Orders) -> Iterator[TrainEvent]:
    asked = job["request"]
    out_dir, resumes = (at.models_dir / asked["name"]).absolute(), asked.get("resumes")
    home = Home(out_dir)
    if (made := finished(out_dir, job["run"])) is not None:
        home.remove()
        yield made
        return
    home.own(job["run"], resumes)
    parent, data, plan = yield from _given(asked, at)
    resume = job["attempt"] > 1 or resumes is not None
    yield from train(parent, data, plan, out_dir, resume=resume, stop=lambda: orders.last)


def _measured(job: dict[str, Any], at: Settings) -> Iterator[TrainEvent | ProbeResult]:
    if "slider" in job["request"]:
        from imfine.core.train.sliders.probe import probe_slider  # diffusers

        parent, slider = yield from _slider(job["request"], at)
        yield from probe_slider(parent, slider)
        return
    parent, data, plan = yield from _given(job["request"], at)
    yield from probe(parent, data, plan, Path(job["folder"]))


def _given(asked: dict[str, Any], at: Settings) -> Generator[Phase, None, tuple[Parent, Data, Plan]]:
    plan = Plan.parse(asked["plan"])
    parent, _ = yield from found_parent(
        asked["model"], plan, at, revision=asked["revision"], any_folder=False
    )
    return parent, open_dataset(at.home / "datasets" / asked["dataset"]), plan


def _learned(job: dict[str, Any], at: Settings) -> Iterator[TrainEvent | SliderResult]:
    from imfine.core.train.sliders.learn import learn  # diffusers, which text does not want

    asked = job["request"]
    out_dir = (at.home / ADAPTERS / asked["name"]).absolute()
    if (made := learned(out_dir, job["run"])) is not None:
        yield made
        return
    parent, slider = yield from _slider(asked, at)
    yield from learn(parent, slider, out_dir, label=asked["label"], run=job["run"])


def _slider(asked: dict[str, Any], at: Settings) -> Generator[Phase, None, tuple[Parent, Slider]]:
    parent = yield from found_source(asked["model"], at, revision=asked["revision"], any_folder=False)
    return parent, Slider(**asked["slider"])


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
            _write(out, _told(event, job["request"].get("name")))
    except ImfineError as error:
        _write(out, {"type": "error", **error.to_json()})
    except MemoryError as error:
        _write(out, {"type": "error", **_too_much(error, job["request"]).to_json()})
    out.flush()
    os._exit(0)  # the thread that listens sits in a read


def _told(event: ChildEvent, name: str | None) -> dict[str, Any]:
    """`name`: what the run makes is called. Where a knob lies is this machine's own matter."""
    told = to_json(event)
    if isinstance(event, TrainResult):
        told["model"] = name
    if isinstance(event, SliderResult):
        del told["path"]
        told["delta"] = name
    return told


def _too_much(error: MemoryError, request: dict[str, Any]) -> OutOfMemory:
    fact = f"the memory ran out while it trained: {error}; {memory.available():,} bytes are free"
    return too_much(request, fact)


def _write(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
