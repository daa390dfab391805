"""Everything a run needs before its first step: model, rows, split, order, optimizer. Knows no run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from imfine.core.events import Notice, Phase
from imfine.core.models.load_image import read_tokenizers
from imfine.core.models.local import Local, read_local
from imfine.core.models.module import read_tokenizer
from imfine.core.train.data import Data, check_kind, rendered
from imfine.core.train.feed import Feed
from imfine.core.train.latents import Latents, write_latents
from imfine.core.train.learner import Learner, Parent, open_learner
from imfine.core.train.lesson import Lesson, TextLesson
from imfine.core.train.packing import Pack, pack
from imfine.core.train.picture_learner import PictureLearner, open_pictures
from imfine.core.train.picture_lesson import PictureLesson
from imfine.core.train.picture_samples import latents_of
from imfine.core.train.plan import Plan
from imfine.core.train.prepared import AnyLearner, Prepared
from imfine.core.train.step import Stepper
from imfine.core.train.tokens import Tokens, write_tokens
from imfine.core.train.told import of_the_language, of_the_split


def prepare(
    accelerator: Accelerator, parent: Parent, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | Prepared]:
    """Yields how far it is, and all of it last. `folder` keeps what is made of the rows: tokens or latents.

    Raises: Invalid, ModelBroken, ModelRefused.
    """
    local = read_local(parent.path)
    check_kind(local.layout, data)
    opening = _text if local.layout.kind == "text" else _pictures
    learner: AnyLearner | None = None
    lesson: Lesson | None = None
    for each in opening(accelerator, parent, local, data, plan, folder):
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


def _text(  # noqa: PLR0917
    accelerator: Accelerator, parent: Parent, local: Local, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | tuple[AnyLearner, Lesson]]:
    tokenizer = read_tokenizer(parent.path)
    learner: Learner | None = None
    for each in open_learner(parent, plan, accelerator.device):
        if isinstance(each, Phase):
            yield each
        else:
            learner = each
    assert learner is not None, "open_learner yields the learner last"
    length = plan.tokens(local.layout)
    if accelerator.is_main_process:
        yield from write_tokens(
            folder,
            data.rows,
            rendered(data, tokenizer, plan, length),
            data=data.hash,
            model=parent.checksum,
            length=length,
            answers_only=plan.answers_only,
        )
    accelerator.wait_for_everyone()
    lesson: Lesson = TextLesson(learner, tokenizer, Tokens(folder))
    yield learner, lesson


def _pictures(  # noqa: PLR0917
    accelerator: Accelerator, parent: Parent, local: Local, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | tuple[AnyLearner, Lesson]]:
    learner: PictureLearner | None = None
    for each in open_pictures(local, plan, accelerator.device):
        if isinstance(each, Phase):
            yield each
        else:
            learner = each
    assert learner is not None, "open_pictures yields the learner last"
    tokenizers = read_tokenizers(parent.path)
    prior: torch.Tensor | None = None
    if accelerator.is_main_process:
        yield from write_latents(
            folder,
            data,
            learner.outside[0],
            plan.pixels(local.layout),
            pictures=data.hash,
            model=parent.checksum,
        )
        if plan.prior is not None:
            yield from _write_prior(learner, tokenizers, folder.parent / PRIOR)
    accelerator.wait_for_everyone()
    if plan.prior is not None:
        prior = load_file(folder.parent / PRIOR)["latents"]
    lesson: Lesson = PictureLesson(learner, tokenizers, Latents(folder), prior, folder.parent)
    yield learner, lesson


PRIOR = "prior.safetensors"


def _write_prior(learner: PictureLearner, tokenizers: Sequence[Any], file: Path) -> Iterator[Phase]:
    """Drawn by the parent, before it has learned anything; a run that goes on has it already."""
    if file.exists():
        return
    assert learner.plan.prior is not None
    for each in latents_of(learner, tokenizers, [learner.plan.prior] * learner.plan.prior_count):
        if isinstance(each, Phase):
            yield each
        else:
            part = file.with_suffix(".part")
            save_file({"latents": each.contiguous()}, part)
            part.replace(file)
