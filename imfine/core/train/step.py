"""One step of the optimizer: the gradient of its rows, over all processes, then AdamW. Knows no run.

The loss is a mean over the trained tokens of the whole step, however they are spread over sequences,
accumulation and processes: every batch's sum is divided by the step's count before its gradient is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from imfine.core.train.feed import Feed
from imfine.core.train.learner import Learner
from imfine.core.train.optimizer import adamw
from imfine.core.train.packing import batch_of
from imfine.core.train.room import in_words, lighter
from imfine.core.train.schedule import learning_rate
from imfine.core.train.tokens import Tokens
from imfine.errors import OutOfMemory


@dataclass(frozen=True)
class Taken:
    """A step that was taken. `tokens` were read by all processes, padding left out."""

    loss: float
    grad_norm: float
    lr: float
    tokens: int


class Stepper:
    def __init__(
        self, learner: Learner, accelerator: Accelerator, tokens: Tokens, feed: Feed, *, steps: int
    ) -> None:
        self.learner, self.plan, self.tokens, self.feed = learner, learner.plan, tokens, feed
        self.steps = steps
        self._accelerator = accelerator
        self.optimizer = adamw(learner.trained, self.plan)
        self._model = accelerator.prepare(learner)  # DDP around it where there are several processes

    def take(self, step: int, look: Callable[[float, float], None]) -> Taken:
        """Step `step` (0 is the first). `look` sees loss and gradient norm before anything changes.

        Raises: OutOfMemory, and what `look` raises.
        """
        packs = self.feed.step(step)
        with told_out_of_memory(self.learner), self._random(step):
            loss = self._gradients(packs)
        parameters = list(self.learner.trained.values())
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.plan.clip or math.inf, foreach=True))
        look(loss, norm)
        lr = learning_rate(self.plan, step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with told_out_of_memory(self.learner):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return Taken(loss, norm, lr, sum(self.tokens.lengths[row] for rows in packs for row in rows))

    def _gradients(self, packs: list[tuple[int, ...]]) -> float:
        """Returns the mean loss of the step."""
        ours, size = self._accelerator, self.plan.batch
        count = sum(self.tokens.counts[row] for rows in packs for row in rows)
        batches = [packs[at : at + size] for at in range(0, len(packs), size)]
        mine = batches[ours.process_index :: ours.num_processes]
        total = torch.zeros((), dtype=torch.float64, device=ours.device)
        for i, share in enumerate(mine):
            batch = batch_of(self.tokens, share).to(ours.device)
            with nullcontext() if i == len(mine) - 1 else ours.no_sync(self._model):
                loss = self._model(batch.ids, batch.positions, batch.labels)
                ours.backward(loss * (ours.num_processes / count))  # DDP takes the mean of the processes
            total += loss.detach().double()
        return float(ours.reduce(total, reduction="sum")) / count

    @contextmanager
    def _random(self, step: int) -> Iterator[None]:
        """Dropout's random numbers follow from seed, step and process; the caller's stay as they were."""
        ours = self._accelerator
        with torch.random.fork_rng():
            torch.manual_seed(((self.plan.seed << 24) + step) * 64 + ours.process_index)
            yield


@contextmanager
def told_out_of_memory(learner: Learner) -> Iterator[None]:
    """Raises: OutOfMemory with a smaller plan, where torch found no memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        plan, length = learner.plan, learner.plan.tokens(learner.local.layout)
        change = lighter(plan, length)
        raise OutOfMemory(
            f"the memory ran out in a batch of {plan.batch} sequences of up to {length} tokens",
            remedy=f"go on with {in_words(change)}",
            field="plan.batch",
            value=plan.batch,
            change=change,
            detail=str(error)[:200],
        ) from error
