"""Tells when a run goes wrong: a loss that is no number, or one that runs away. Knows losses only."""

from __future__ import annotations

import math
from collections import deque

from imfine.core.train.plan import Plan
from imfine.errors import TrainingDiverged

WINDOW = 20  # steps whose mean is watched: single batches scatter
AWAY = 3.0  # nats a token above the lowest mean, or the first loss: e³ = 20 times the perplexity


class Watch:
    """`saved`: the last checkpoint's step, told with the error; None before there is one. `of`: what the
    learning rate is a field of."""

    def __init__(self, plan: Plan, of: str = "plan.") -> None:
        self.plan = plan
        self.of = of
        self.saved: int | None = None
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._lowest = math.inf

    @property
    def rising(self) -> bool:
        """Half-way to running away: no state to keep."""
        return self._mean > self._lowest + AWAY / 2

    @property
    def _mean(self) -> float:
        return sum(self._losses) / len(self._losses) if len(self._losses) == WINDOW else math.nan

    def look(self, step: int, loss: float, grad_norm: float) -> None:
        """Before the step is taken. Raises: TrainingDiverged."""
        if not math.isfinite(loss) or not math.isfinite(grad_norm):
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise self._diverged(step, f"the {what} is not a number at step {step}", loss)
        self._losses.append(loss)
        if len(self._losses) == 1:
            self._lowest = loss  # a first step that breaks everything leaves no lower mean
        if self._mean > self._lowest + AWAY:
            fact = f"the loss rose from {self._lowest:.2f} to {self._mean:.2f} (mean of {WINDOW} steps)"
            raise self._diverged(step, f"{fact} by step {step}", loss)
        self._lowest = min(self._lowest, self._mean) if math.isfinite(self._mean) else self._lowest

    def to_json(self) -> dict[str, object]:
        return {"losses": list(self._losses), "lowest": self._lowest if math.isfinite(self._lowest) else None}

    def restore(self, state: dict[str, object]) -> None:
        losses, lowest = state["losses"], state["lowest"]
        assert isinstance(losses, list)
        self._losses = deque(losses, maxlen=WINDOW)
        self._lowest = math.inf if lowest is None else float(str(lowest))

    def _diverged(self, step: int, fact: str, loss: float) -> TrainingDiverged:
        lr = float(f"{self.plan.learning_rate / 10:.2g}")
        change = {"lr": lr} | ({} if 0 < self.plan.clip <= 1 else {"clip": 1.0})
        clip = " and clip 1" if "clip" in change else ""
        go_on = f"go on from step {self.saved}" if self.saved else "start again"
        return TrainingDiverged(
            f"training diverged: {fact}",
            remedy=f"{go_on} with a learning rate of {lr:.2g}{clip}",
            field=f"{self.of}lr",
            value=self.plan.learning_rate,
            step=step,
            saved=self.saved,
            loss=loss if math.isfinite(loss) else repr(loss),
            lr=lr,
            change=change,
        )
