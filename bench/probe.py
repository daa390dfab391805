"""How long a run takes beside what its probe foretold: `python -m bench.probe`.

Each plan is probed, and then really trained from its first event to its result, in one process; evaluations,
samples, checkpoints and the writing of the model are in both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import train_pictures
from bench.learned_knob import SLIDER
from bench.train import Rows, here
from imfine.core.train.events import ProbeResult, SliderResult, TrainResult
from imfine.core.train.loop import train
from imfine.core.train.plan import Plan
from imfine.core.train.probe import probe
from imfine.core.train.sliders.learn import learn
from imfine.core.train.sliders.probe import probe_slider

ROWS = 120


class Split:
    """Rows of a benchmark, a tenth of them held out."""

    def __init__(self, rows: Any) -> None:
        self._all, self.rows, self.hash, self.kind = rows, rows.rows, rows.hash, getattr(rows, "kind", "text")

    def row(self, index: int) -> Any:
        return self._all.row(index)

    def split(self, seed: int, eval_share: float) -> tuple[range, range]:
        held_out = self.rows // 10
        return range(held_out, self.rows), range(held_out)


@dataclass(frozen=True)
class Case:
    model: str
    steps: int
    plan: dict[str, Any]

    def __str__(self) -> str:
        dtype, method = self.plan.get("dtype", "float32"), self.plan["method"]
        return f"{self.model}, {method}, {dtype}, {self.steps} steps"


WORDS = {"length": 256, "samples": ("the old man",)}
DRAWN = {"batch": 8, "samples": ("a red apple",)}
CASES = (
    Case("smollm2-135m", 30, {"method": "lora", "batch": 4, "dtype": "bfloat16", **WORDS}),
    Case("smollm2-135m", 20, {"method": "full", "batch": 2, "dtype": "bfloat16", **WORDS}),
    Case("gpt2-classics", 100, {"method": "lora", "batch": 4, **WORDS}),
    Case("gpt2-classics", 100, {"method": "full", "batch": 4, **WORDS}),
    Case("emoji-diffusion", 120, {"method": "lora", **DRAWN}),
    Case("emoji-diffusion", 120, {"method": "full", **DRAWN}),
)


def seconds(case: Case, folder: Path) -> tuple[float, float]:
    """Foretold, and taken."""
    data = Split(train_pictures.Pictures() if case.model == "emoji-diffusion" else Rows(ROWS))
    plan, model = Plan(steps=case.steps, **case.plan), here(case.model)
    foretold = next(e for e in probe(model, data, plan, folder / "probe") if isinstance(e, ProbeResult))
    start = time.perf_counter()
    events = list(train(model, data, plan, folder / "trained"))
    assert isinstance(events[-1], TrainResult)
    return foretold.seconds, time.perf_counter() - start


def seconds_of_a_knob(folder: Path) -> tuple[float, float]:
    """As `seconds`, of what `bench.learned_knob` learns."""
    model = here("emoji-diffusion")
    foretold = next(e for e in probe_slider(model, SLIDER) if isinstance(e, ProbeResult))
    start = time.perf_counter()
    *_, end = learn(model, SLIDER, folder / "knob")
    assert isinstance(end, SliderResult)
    return foretold.seconds, time.perf_counter() - start


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| run | foretold | taken | foretold / taken |\n|---|---|---|---|")
    timed = [(str(case), partial(seconds, case)) for case in CASES]
    timed.append((f"emoji-diffusion, a knob, float32, {SLIDER.steps} steps", seconds_of_a_knob))
    for name, time_both in timed:
        with tempfile.TemporaryDirectory(prefix="bench-probe-") as folder:
            foretold, taken = time_both(Path(folder))
        print(f"| {name} | {foretold:.0f} s | {taken:.0f} s | **{foretold / taken:.2f}** |", flush=True)


if __name__ == "__main__":
    main()
