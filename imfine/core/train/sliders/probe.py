"""How long a knob takes to learn: a little of the drawing and some steps are really done, and thrown away.

Knows the machine by its clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import mean

import torch

from imfine.core.events import Phase
from imfine.core.models.load_image import read_tokenizers
from imfine.core.train.events import ProbeResult
from imfine.core.train.learner import Parent
from imfine.core.train.pictures.learner import PictureLearner
from imfine.core.train.pictures.samples import pace_of
from imfine.core.train.probe import LEAST, MOST, seconds_each
from imfine.core.train.sliders.learner import Stepper, opened, too_much_told
from imfine.core.train.sliders.slider import Slider


def probe_slider(parent: Parent, slider: Slider) -> Iterator[Phase | ProbeResult]:
    """Yields how far it is, and the result last. Raises: what `learn` raises before it writes."""
    began = time.monotonic()
    learner = yield from opened(parent, slider)
    opened_s = time.monotonic() - began
    with too_much_told(slider):
        yield from _measured(learner, slider, parent, opened_s)


def _measured(
    learner: PictureLearner, slider: Slider, parent: Parent, opened_s: float
) -> Iterator[Phase | ProbeResult]:
    tokenizers = read_tokenizers(parent.path)
    paces: list[tuple[float, torch.Tensor]] = []
    for pace in pace_of(learner, tokenizers, slider.asked, LEAST + 1):
        yield Phase("measuring", len(paces), LEAST + 1 + MOST + 1, "steps")
        paces.append(pace)
    drawing_s = mean(seconds for seconds, _ in paces[1:] or paces)
    stepper = Stepper(learner, slider, tokenizers, paces[-1][1])

    def take(step: int) -> int:
        stepper.take(step)
        return 1

    step_s = yield from seconds_each(take, before=len(paces))
    rest_s = opened_s + drawing_s
    yield ProbeResult(
        steps=slider.steps,
        step_s=step_s,
        evaluations=0,
        evaluation_s=0.0,
        rest_s=rest_s,
        seconds=slider.steps * step_s + rest_s,
        tokens_per_s=slider.batch / step_s,
        rows=slider.count,
        held_out=0,
    )
