"""What a run has before its first step. Knows neither how it was made nor the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from imfine.core.train.feed import Feed
from imfine.core.train.learner import Learner
from imfine.core.train.lesson import Lesson
from imfine.core.train.packing import Pack

if TYPE_CHECKING:
    from imfine.core.train.pictures.learner import PictureLearner
    from imfine.core.train.step import Stepper

AnyLearner: TypeAlias = "Learner | PictureLearner"  # a text model's run does not import diffusers


@dataclass(frozen=True, eq=False)
class Prepared:
    """`held_out`: the sequences of the rows that are measured with; `steps`: of the whole run."""

    learner: AnyLearner
    lesson: Lesson
    held_out: list[Pack]
    feed: Feed
    steps: int
    stepper: Stepper
