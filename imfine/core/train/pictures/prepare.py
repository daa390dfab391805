"""What a picture model's run needs: the model with what it learns, the pictures as latents. Knows no run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from imfine.core.events import Notice, Phase, last_of
from imfine.core.models.load_image import read_tokenizers
from imfine.core.models.local import Local
from imfine.core.train.data import Data
from imfine.core.train.learner import Parent
from imfine.core.train.lesson import Lesson
from imfine.core.train.pictures.latents import Latents, write_latents
from imfine.core.train.pictures.learner import PictureLearner, open_pictures
from imfine.core.train.pictures.lesson import PictureLesson
from imfine.core.train.pictures.samples import latents_of
from imfine.core.train.plan import Plan
from imfine.core.train.prepared import AnyLearner
from imfine.core.train.told import of_the_captions

PRIOR = "prior.safetensors"


def opened(  # noqa: PLR0917
    accelerator: Accelerator, parent: Parent, local: Local, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | tuple[AnyLearner, Lesson]]:
    learner = yield from last_of(open_pictures(local, plan, accelerator.device))
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
    latents = Latents(folder)
    if accelerator.is_main_process:
        _, held_out = data.split(plan.seed, plan.eval_share)
        yield from of_the_captions(latents.captions, tokenizers, list(held_out), plan)
    lesson: Lesson = PictureLesson(learner, tokenizers, latents, prior, folder.parent)
    yield learner, lesson


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
