"""How long a plan takes: a little of all that a run does is really done, and thrown away.

Knows the machine by its clock.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor

from imfine.core.events import Notice, Phase
from imfine.core.models.weights import weight_files
from imfine.core.train import checkpoint
from imfine.core.train.data import Data
from imfine.core.train.evaluate import held_out_loss
from imfine.core.train.events import ProbeResult
from imfine.core.train.learner import Parent
from imfine.core.train.plan import TIMES, Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared

LEAST, MOST, ENOUGH_S = 3, 20, 3.0  # steps, after one that is not counted, which finds memory and kernels
WRITTEN = 32 << 20  # bytes of a checkpoint that are written to see how quick the disk is


def probe(parent: Parent, data: Data, plan: Plan, folder: Path) -> Iterator[Phase | Notice | ProbeResult]:
    """Yields how far it is, and the result last. Loads the model and tokenises the data, as the run will.
    `folder` is for what is thrown away; it goes with the generator.

    Raises: what `prepare` and a step raise.
    """
    try:
        yield from _probe(parent, data, plan, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _probe(parent: Parent, data: Data, plan: Plan, folder: Path) -> Iterator[Phase | Notice | ProbeResult]:
    began = time.monotonic()
    found: Prepared | None = None
    accelerator = Accelerator(mixed_precision="no")
    for each in prepare(accelerator, parent, data, plan, folder / "tokens"):
        if isinstance(each, Prepared):
            found = each
        else:
            yield each
    assert found is not None, "prepare yields what it prepared last"
    prepared_s = time.monotonic() - began
    stepper = found.stepper
    token_s = yield from seconds_each(lambda step: stepper.take(step, lambda loss, norm: None).tokens)
    yield _result(found, data, prepared_s + _saving_s(found, parent, folder), token_s, accelerator)


def seconds_each(take: Callable[[int], int], before: int = 0) -> Generator[Phase, None, float]:
    """Takes steps until enough is known; `take` returns how much each has done (tokens, say). Returns seconds
    of one of these. `before`: steps of something else that were measured already."""
    count, took = 0, 0.0
    for step in range(MOST + 1):
        yield Phase("measuring", before + step, before + MOST + 1, "steps")
        start = time.monotonic()
        done = take(step)
        if step:
            took += time.monotonic() - start
            count += done
        if step >= LEAST and took >= ENOUGH_S:
            break
    return took / count


def _result(
    found: Prepared, data: Data, rest_s: float, token_s: float, accelerator: Accelerator
) -> ProbeResult:
    plan = found.learner.plan
    step_s, evaluation_s = found.feed.tokens_per_step * token_s, _evaluation_s(found, accelerator)
    evaluations = 1 + math.ceil(found.steps / (plan.eval_every or max(1, found.steps // TIMES)))
    evaluations = evaluations if evaluation_s else 0
    learn, held_out = data.split(plan.seed, plan.eval_share)
    return ProbeResult(
        steps=found.steps,
        step_s=step_s,
        evaluations=evaluations,
        evaluation_s=evaluation_s,
        rest_s=rest_s,
        seconds=found.steps * step_s + evaluations * evaluation_s + rest_s,
        tokens_per_s=1 / token_s,
        rows=len(list(learn)),
        held_out=len(list(held_out)),
    )


def _evaluation_s(found: Prepared, accelerator: Accelerator) -> float:
    """Of one reading of the held-out rows, and of the samples."""
    plan, took = found.learner.plan, 0.0
    if some := found.held_out[: plan.batch]:
        start = time.monotonic()
        held_out_loss(found.learner, accelerator, found.lesson, some, step=0, broken_off=lambda: False)
        took = (time.monotonic() - start) * found.lesson.read(found.held_out)
        took /= found.lesson.read(some)
    start = time.monotonic()
    for _ in islice(found.lesson.samples(0), 1):
        took += (time.monotonic() - start) * len(plan.samples)
    return took


def _saving_s(found: Prepared, parent: Parent, folder: Path) -> float:
    """Of all checkpoints and the trained model, by the first tensors of one."""
    plan, trained = found.learner.plan, found.learner.trained
    some: dict[str, Tensor] = {}
    for name, tensor in trained.items():
        some[name] = tensor
        if sum(each.nbytes for each in some.values()) > WRITTEN:
            break
    start = time.monotonic()
    checkpoint.save(folder, 0, some, {}, {})
    byte_s = (time.monotonic() - start) / sum(each.nbytes for each in some.values())
    saves = math.ceil(found.steps / (plan.save_every or max(1, found.steps // TIMES)))
    size = 3 * sum(each.nbytes for each in trained.values())  # weights, and the optimizer's two moments
    return byte_s * (saves * size + sum(file.stat().st_size for file in weight_files(parent.path)))
