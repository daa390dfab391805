"""The learning rate of a step, as a function of the step alone. Plain Python.

After the warm-up the same curves as transformers' schedulers; the warm-up's first step already moves.
"""

from __future__ import annotations

import math

from imfine.core.train.plan import Plan


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    """Of step `step` (0 is the first) of `steps`."""
    warmup = math.ceil(plan.warmup * steps)
    if step < warmup:
        return plan.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if plan.schedule == "cosine":
        return plan.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
    if plan.schedule == "linear":
        return plan.learning_rate * (1.0 - done)
    return plan.learning_rate
