"""A run's curves: a JSON object a line for every step, evaluation and sample. Knows no training."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from imfine.core.train.events import Evaluated, Sample, TrainStep, to_json


class Curves:
    """Appends to `file`; what is past `step` is cut off first: it will come again. So will the evaluation of
    that very step, unless it was `looked`."""

    def __init__(self, file: Path, step: int, *, looked: bool) -> None:
        kept = [
            line
            for line in self._whole(file)
            if line["step"] < step or (line["step"] == step and (looked or line["type"] == "train_step"))
        ]
        part = file.with_suffix(".part")
        part.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept), "utf-8")
        part.replace(file)
        self._stream = file.open("a", encoding="utf-8")

    @staticmethod
    def _whole(file: Path) -> list[dict[str, Any]]:
        lines = []
        try:
            for text in file.read_text("utf-8").splitlines():
                lines.append(json.loads(text))
        except (OSError, ValueError):  # none yet, or its last line was cut off
            pass
        return lines

    def add(self, event: TrainStep | Evaluated | Sample) -> None:
        self._stream.write(json.dumps(to_json(event), ensure_ascii=False) + "\n")
        self._stream.flush()  # a kill loses none; a power cut none before the last checkpoint

    def sync(self) -> None:
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()
