"""How a learner does at a moment: its loss on the held-out rows, and what it answers. Knows no run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from torch import nn

from imfine.core.families import TextLayout
from imfine.core.text.prompts import encode
from imfine.core.train.events import Evaluated, Sampled
from imfine.core.train.learner import Learner
from imfine.core.train.lesson import Lesson
from imfine.core.train.packing import Pack
from imfine.core.train.sharding import is_split

if TYPE_CHECKING:
    from imfine.core.train.pictures.learner import PictureLearner


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Without dropout and gradients."""
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train()


def held_out_loss(
    learner: Learner | PictureLearner,
    accelerator: Accelerator,
    lesson: Lesson,
    packs: Sequence[Pack],
    *,
    step: int,
    broken_off: Callable[[], bool],
) -> Evaluated | None:
    """Every process reads its share; None when it was broken off, which one process alone may do. All run the
    model equally often: where it is split, they need one another for it."""
    total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
    size = learner.plan.batch
    shares = [packs[at : at + size] for at in range(0, len(packs), size)]
    with evaluating(learner):
        for first in range(0, len(shares), accelerator.num_processes):
            if broken_off():
                return None
            mine = first + accelerator.process_index
            left = mine < len(shares)
            share = shares[mine if left else first]
            loss = learner(*(tensor.to(accelerator.device) for tensor in lesson.fixed(share)))
            total += loss.double() if left else 0.0
    loss = float(accelerator.reduce(total, reduction="sum"))
    count = lesson.count(packs)
    text = learner.local.layout.kind == "text"
    return Evaluated(step, loss / count, math.exp(min(loss / count, 700.0)) if text else None, count)


def answers(learner: Learner, tokenizer: Any, *, step: int) -> Iterator[Sampled]:
    """The plan's prompts, answered greedily. Raises: Invalid for a prompt that the chat template refuses."""
    plan, layout = learner.plan, learner.local.layout
    assert isinstance(layout, TextLayout)
    with evaluating(learner):
        for index, prompt in enumerate(plan.samples):
            room = layout.context_length - plan.sample_tokens
            ids = encode(tokenizer, prompt, raw=False)[-max(1, room) :]
            asked = torch.tensor([ids], device=learner.module.device)  # (1, T)
            out = learner.answer(asked, plan.sample_tokens, together=is_split(learner))
            yield Sampled(step, index, prompt, tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True))
