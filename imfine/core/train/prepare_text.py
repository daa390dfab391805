"""What a text model's run needs: the model with what it learns, the rows as tokens. Knows no run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from accelerate import Accelerator

from imfine.core.events import Notice, Phase, last_of
from imfine.core.models.local import Local
from imfine.core.models.module import read_tokenizer
from imfine.core.train.data import Data, rendered
from imfine.core.train.learner import Parent, open_learner
from imfine.core.train.lesson import Lesson, TextLesson
from imfine.core.train.plan import Plan
from imfine.core.train.prepared import AnyLearner
from imfine.core.train.sharding import parts, place_to_read, split
from imfine.core.train.tokens import Tokens, write_tokens


def opened(  # noqa: PLR0917
    accelerator: Accelerator, parent: Parent, local: Local, data: Data, plan: Plan, folder: Path
) -> Iterator[Phase | Notice | tuple[AnyLearner, Lesson]]:
    tokenizer = read_tokenizer(parent.path)
    learner = yield from last_of(open_learner(parent, plan, place_to_read(accelerator.device)))
    if parts() > 1:
        split(learner, accelerator.device)
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
