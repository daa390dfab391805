"""How long a plan takes: some steps are really taken, and thrown away. Knows the machine by its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from accelerate import Accelerator

from imfine.core.events import Notice, Phase
from imfine.core.train.data import Data
from imfine.core.train.learner import Parent
from imfine.core.train.plan import TIMES, Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared

STEPS = 3  # after one that is not counted, which finds memory and kernels
FORWARD = 1 / 3  # what a token costs without its gradient


@dataclass(frozen=True)
class Pace:
    """`seconds` of the whole run: `steps` at `step_s`, and `evaluations` at `evaluation_s`."""

    steps: int
    step_s: float
    evaluations: int
    evaluation_s: float
    tokens_per_s: float

    @property
    def seconds(self) -> float:
        return self.steps * self.step_s + self.evaluations * self.evaluation_s


def probe(parent: Parent, data: Data, plan: Plan) -> Iterator[Phase | Notice | Pace]:
    """Yields how far it is, and the pace last. Loads the model and tokenises the data, as the run will.

    Raises: what `prepare` and a step raise.
    """
    with TemporaryDirectory(prefix="imfine-probe-") as folder:
        found: Prepared | None = None
        accelerator = Accelerator(mixed_precision="no")
        for each in prepare(accelerator, parent, data, plan, Path(folder) / "tokens"):
            if isinstance(each, Prepared):
                found = each
            else:
                yield each
        assert found is not None, "prepare yields what it prepared last"
        tokens = took = 0.0
        for step in range(STEPS + 1):
            yield Phase("measuring", step, STEPS + 1, "steps")
            start = time.monotonic()
            taken = found.stepper.take(step, lambda loss, norm: None)
            if step:
                took += time.monotonic() - start
                tokens += taken.tokens
        yield _pace(found, plan, took / tokens)


def _pace(found: Prepared, plan: Plan, token_s: float) -> Pace:
    step = found.feed.tokens_per_step * token_s
    held_out = found.lesson.read(found.held_out) * found.lesson.draws
    every = plan.eval_every or max(1, found.steps // TIMES)
    return Pace(
        steps=found.steps,
        step_s=step,
        evaluations=1 + found.steps // every if held_out else 0,
        evaluation_s=held_out * token_s * FORWARD,
        tokens_per_s=1 / token_s,
    )
