"""By how much a process grows at most, measured in one of its own (forked.call)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import torch
from training import Rows, Source, plan

from imfine.core.data.rows import Text
from imfine.core.models.load import load
from imfine.core.train.events import TrainStep
from imfine.core.train.loop import Order, train


class Most:
    bytes = 0


@contextmanager
def watched() -> Iterator[Most]:
    process, most, done = psutil.Process(), Most(), threading.Event()
    before = process.memory_info().rss

    def look() -> None:
        while not done.wait(0.002):
            most.bytes = max(most.bytes, process.memory_info().rss - before)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield most
    finally:
        done.set()
        watching.join()


def by_training(model: Path, changes: dict[str, Any]) -> int:
    """Two steps."""
    import imfine.core.train.adapter  # noqa: F401 (peft is no part of it)

    torch.set_num_threads(1)
    data = Rows([Text("The old man looked at the sea. " * 200, ends=False)] * 8)
    steps = 0

    def stop() -> Order:
        return "cancel" if steps >= 2 else "go"

    with TemporaryDirectory() as folder, watched() as most:
        for event in train(Source(model), data, plan(**changes), Path(folder) / "out", stop=stop):
            steps += isinstance(event, TrainStep)
    return most.bytes


def by_answering(folder: Path, dtype: str) -> int:
    """A model of the folder's home: what is left of loading it, and of a short answer."""
    os.environ["IMFINE_HOME"] = str(folder.parent.parent)
    torch.set_num_threads(1)
    before = psutil.Process().memory_info().rss
    *_, model = load(str(folder), dtype=dtype)
    list(model.compare("Hello", attn=1.1, sampling={"greedy": True, "max_new_tokens": 4}))
    return psutil.Process().memory_info().rss - before
