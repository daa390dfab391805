"""What tests of training share: small models on disk, data sets made on the spot, a run's events."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from model_folders import save_model

from imfine.core.data.rows import Pair, Text
from imfine.core.train.events import TrainEvent, TrainResult, TrainStep
from imfine.core.train.loop import train
from imfine.core.train.plan import Plan


class Rows:
    """A data set in memory."""

    kind = "text"

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = list(rows)
        self.rows = len(self._rows)
        self.hash = hashlib.sha256(repr(self._rows).encode()).hexdigest()

    def row(self, index: int) -> Any:
        return self._rows[index]

    def split(self, seed: int, eval_share: float) -> tuple[list[int], list[int]]:
        order = list(range(self.rows))
        random.Random(seed).shuffle(order)
        held_out = int(self.rows * eval_share)
        return sorted(order[held_out:]), sorted(order[:held_out])


def sentences(count: int = 40, seed: int = 3) -> Rows:
    """Short texts of very different lengths, some of them questions with an answer."""
    rng = random.Random(seed)
    words = ["sea", "old", "man", "said", "long", "time", "was", "year", "fish", "boat", "line", "hand"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 9))) for _ in range(count)]
    return Rows(
        [Pair(text[:10] or "a", " " + text) if i % 3 == 0 else Text(text) for i, text in enumerate(texts)]
    )


@dataclass(frozen=True)
class Source:
    """A model's folder to train."""

    path: Path
    id: str = "small"
    checksum: str = "0" * 64


def source(folder: Path, architecture: str = "LlamaForCausalLM", **changes: Any) -> Source:
    save_model(folder, architecture, **changes)
    return Source(folder)


def plan(**changes: Any) -> Plan:
    """A plan for small models: full, 64 tokens, float32."""
    return Plan(
        **{"method": "full", "steps": 6, "batch": 2, "length": 64, "lr": 1e-3, "eval_share": 0.2, **changes}
    )


def run(model: Source, out: Path, data: Any = None, **options: Any) -> list[TrainEvent]:
    asked = {name: options.pop(name) for name in ("resume", "stop") if name in options}
    return list(train(model, data or sentences(), plan(**options), out, **asked))


def tell_steps(told: Connection, model: Source, out: Path, hangs_at: int | None, **options: Any) -> None:
    """For a process of its own: trains, and waits at a step to be killed; without one goes on with `out`."""
    torch.set_num_threads(1)
    for event in train(model, sentences(), plan(**options), out, resume=hangs_at is None):
        if isinstance(event, TrainStep):
            told.send(event.step)
            if event.step == hangs_at:
                time.sleep(60)


def result(events: Sequence[TrainEvent]) -> TrainResult:
    assert isinstance(events[-1], TrainResult)
    return events[-1]


def losses(events: Sequence[TrainEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, TrainStep)]


def curve(out: Path) -> list[tuple[Any, ...]]:
    """Every number of a run's curves that does not tell the time."""
    lines = map(json.loads, (out / "curves.jsonl").read_text().splitlines())
    timed = ("tokens_per_s", "eta_s")
    return [tuple((k, v) for k, v in line.items() if k not in timed) for line in lines]
