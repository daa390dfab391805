"""One step of the optimizer: the gradient of its rows, over all processes, then AdamW. Knows no run.

The loss is a mean over the trained tokens (the pictures) of the whole step, however they are spread over
sequences, accumulation and processes: every batch's sum is divided by the step's count before its gradient
is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from imfine.core.families import ImageLayout
from imfine.core.train.average import Average
from imfine.core.train.feed import Feed
from imfine.core.train.lesson import Lesson
from imfine.core.train.optimizer import adamw, set_state, state_of
from imfine.core.train.prepared import AnyLearner
from imfine.core.train.room import in_words, lighter
from imfine.core.train.schedule import learning_rate
from imfine.core.train.sharding import is_split, whole
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
        self, learner: AnyLearner, accelerator: Accelerator, lesson: Lesson, feed: Feed, *, steps: int
    ) -> None:
        self.learner, self.plan, self.lesson, self.feed = learner, learner.plan, lesson, feed
        self.steps = steps
        self._accelerator = accelerator
        self._parameters = list(learner.trained.values())
        self.optimizer = adamw(learner.trained, self.plan)
        self.average = Average(learner.trained, self.plan.ema) if self.plan.ema else None
        # DDP around it where there are several processes, unless each holds a part
        self._model = learner if is_split(learner) else accelerator.prepare(learner)

    def take(self, step: int, look: Callable[[float, float], None]) -> Taken:
        """Step `step` (0 is the first). `look` sees loss and gradient norm before anything changes.

        Raises: OutOfMemory, and what `look` raises.
        """
        packs = self.feed.step(step)
        with told_out_of_memory(self.learner), self._random(step):
            loss = self._gradients(packs, step)
        clip = self.plan.clip or math.inf
        norm = whole(get_total_norm([p.grad for p in self._parameters if p.grad is not None], foreach=True))
        clip_grads_with_norm_(self._parameters, clip, norm, foreach=True)
        look(loss, float(norm))
        lr = learning_rate(self.plan, step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with told_out_of_memory(self.learner):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.take(step)
        return Taken(loss, float(norm), lr, self.lesson.read(packs))

    def state(self) -> dict[str, torch.Tensor]:
        """The optimizer's, and the average."""
        average = self.average.tensors if self.average is not None else {}
        return state_of(self.optimizer, self.learner.trained) | {
            f"average/{name}": tensor for name, tensor in average.items()
        }

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        set_state(self.optimizer, self.learner.trained, state)
        if self.average is not None:
            self.average.restore({name: state[f"average/{name}"] for name in self.learner.trained})

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the learner has the average's weights, where the plan keeps one."""
        return self.average.applied() if self.average is not None else nullcontext()

    def _gradients(self, packs: list[tuple[int, ...]], step: int) -> float:
        """Returns the mean loss of the step."""
        ours, size = self._accelerator, self.plan.batch
        count = self.lesson.count(packs)
        batches = [(at, packs[at : at + size]) for at in range(0, len(packs), size)]
        mine = batches[ours.process_index :: ours.num_processes]
        total = torch.zeros((), dtype=torch.float64, device=ours.device)
        together = is_split(self.learner)  # a process would hold all gradients till the last batch
        for i, (at, share) in enumerate(mine):
            apart = i < len(mine) - 1 and not together
            batch = [tensor.to(ours.device) for tensor in self.lesson.batch(share, step, at)]
            with ours.no_sync(self._model) if apart else nullcontext():
                loss = self._model(*batch)
                ours.backward(loss * (ours.num_processes / count))  # the mean of the processes is taken
            total += loss.detach().double()
        return float(ours.reduce(total, reduction="sum")) / count

    @contextmanager
    def _random(self, step: int) -> Iterator[None]:
        """Dropout's random numbers follow from seed, step and process; the caller's stay as they were."""
        ours = self._accelerator
        with torch.random.fork_rng():
            torch.manual_seed(((self.plan.seed << 24) + step) * 64 + ours.process_index)
            yield


def told_out_of_memory(learner: AnyLearner) -> AbstractContextManager[None]:
    """Raises: OutOfMemory with a smaller plan, where torch found no memory."""

    def too_much(error: BaseException) -> OutOfMemory:
        plan, layout = learner.plan, learner.local.layout
        change = lighter(plan, layout)
        what = (
            f"pictures of {plan.pixels(layout)} pixels"
            if isinstance(layout, ImageLayout)
            else f"sequences of up to {plan.tokens(layout)} tokens"
        )
        return OutOfMemory(
            f"the memory ran out in a batch of {plan.batch} {what}",
            remedy=f"go on with {in_words(change)}",
            field="plan.batch",
            value=plan.batch,
            change=change,
            detail=str(error)[:200],
        )

    return no_memory_told(too_much)


@contextmanager
def no_memory_told(too_much: Callable[[BaseException], OutOfMemory]) -> Iterator[None]:
    """Raises: what `too_much` makes of it, where torch, or Python, found no memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise too_much(error) from error


def ran_out(error: BaseException) -> bool:
    """Whether it says that torch, or Python, found no memory."""
    return isinstance(error, MemoryError) or "memory" in str(error)
