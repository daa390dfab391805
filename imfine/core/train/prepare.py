"""Everything a run needs before its first step: model, tokens, split, order, optimizer. Knows no run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from imfine.core.events import Notice, Phase
from imfine.core.models.module import read_tokenizer
from imfine.core.train.data import Data, rendered
from imfine.core.train.feed import Feed
from imfine.core.train.learner import Learner, Parent, open_learner
from imfine.core.train.packing import Pack, pack
from imfine.core.train.plan import Plan
from imfine.core.train.step import Stepper
from imfine.core.train.tokens import Tokens, write_tokens
from imfine.core.train.told import of_the_language, of_the_split


@dataclass(frozen=True, eq=False)
class Prepared:
    """`held_out`: the sequences of the rows that are measured with; `steps`: of the whole run."""

    learner: Learner
    tokenizer: Any
    tokens: Tokens
    held_out: list[Pack]
    feed: Feed
    steps: int
    stepper: Stepper


def prepare(
    accelerator: Accelerator, parent: Parent, data: Data, plan: Plan, tokens_folder: Path
) -> Iterator[Phase | Notice | Prepared]:
    """Yields how far it is, and all of it last. `tokens_folder` keeps the rows' tokens.

    Raises: Invalid, ModelBroken, ModelRefused.
    """
    tokenizer = read_tokenizer(parent.path)
    learner: Learner | None = None
    for each in open_learner(parent, plan, accelerator.device):
        if isinstance(each, Phase):
            yield each
        else:
            learner = each
    assert learner is not None, "open_learner yields the learner last"
    length = plan.tokens(learner.local.layout)
    if accelerator.is_main_process:
        yield from write_tokens(
            tokens_folder,
            data.rows,
            rendered(data, tokenizer, plan, length),
            data=data.hash,
            model=parent.checksum,
            length=length,
            answers_only=plan.answers_only,
        )
    accelerator.wait_for_everyone()
    tokens = Tokens(tokens_folder)
    learn, held_out = (list(map(int, rows)) for rows in data.split(plan.seed, plan.eval_share))
    if accelerator.is_main_process:
        yield from of_the_split(tokens, learn, held_out, plan, length)
        yield from of_the_language(data, tokens, tokenizer, learner.local, parent.id)
    feed = Feed(
        tokens.lengths,
        learn,
        room=length,
        packing=plan.packing,
        per_step=plan.batch * plan.accumulation * accelerator.num_processes,
        seed=plan.seed,
    )
    steps = plan.steps or feed.steps(plan.epochs or 1.0)
    yield Prepared(
        learner=learner,
        tokenizer=tokenizer,
        tokens=tokens,
        held_out=pack(tokens.lengths, [row for row in held_out if tokens.lengths[row]], length),
        feed=feed,
        steps=steps,
        stepper=Stepper(learner, accelerator, tokens, feed, steps=steps),
    )
