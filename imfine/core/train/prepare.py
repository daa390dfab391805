"""Everything a run needs before its first step: model, rows, split, order, optimizer. Knows no run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from accelerate import Accelerator

from imfine.core.events import Notice, Phase
from imfine.core.models.local import read_local
from imfine.core.train.data import Data, check_kind
from imfine.core.train.feed import Feed
from imfine.core.train.learner import Parent
from imfine.core.train.lesson import Lesson, TextLesson
from imfine.core.train.packing import Pack, pack
from imfine.core.train.plan import Plan
from imfine.core.train.prepared import AnyLearner, Prepared
from imfine.core.train.sharding import check_splittable
from imfine.core.train.step import Stepper
from imfine.core.train.told import of_the_language, of_the_split


def prepare(
    accelerator: Accelerator, parent: Parent, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | Prepared]:
    """Yields how far it is, and all of it last. `folder` keeps what is made of the rows: tokens or latents.

    Raises: Invalid, ModelBroken, ModelRefused, SetupError.
    """
    local = read_local(parent.path)
    check_kind(local.layout, data)
    check_splittable(local.layout, plan)
    if local.layout.kind == "text":
        from imfine.core.train.prepare_text import opened
    else:
        from imfine.core.train.pictures.prepare import opened  # diffusers
    learner: AnyLearner | None = None
    lesson: Lesson | None = None
    for each in opened(accelerator, parent, local, data, plan, folder):
        if isinstance(each, tuple):
            learner, lesson = each
        else:
            yield each
    assert learner is not None, "the learner comes last"
    assert lesson is not None
    learn, held_out = data.split(plan.seed, plan.eval_share)
    room, packing = 1, False
    if isinstance(lesson, TextLesson):
        room, packing = plan.tokens(local.layout), plan.packing
        if accelerator.is_main_process:
            yield from of_the_split(lesson.tokens, learn, list(map(int, held_out)), plan, room)
            yield from of_the_language(data, lesson.tokens, lesson.tokenizer, local, parent.id)
    feed = Feed(
        lesson.lengths,
        learn,
        room=room,
        packing=packing,
        per_step=plan.batch * plan.accumulation * accelerator.num_processes,
        seed=plan.seed,
    )
    steps = plan.steps or feed.steps(plan.epochs or 1.0)
    rows = [int(row) for row in held_out if lesson.lengths[row]]
    measured: list[Pack] = pack(lesson.lengths, rows, room)
    stepper = Stepper(learner, accelerator, lesson, feed, steps=steps)
    yield Prepared(learner, lesson, measured, feed, steps, stepper)
