"""From what a client sent to a run that learns a knob, or measures how long that takes, and may be accepted:
model, slider and name are checked.

Uses the plain half of core; loads no model. Every error names the field as it was written.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from imfine.core.deltas.keeping import check_name
from imfine.core.models.folders import ADAPTERS, taken_away
from imfine.core.train.sliders.slider import Slider, learned
from imfine.errors import Invalid
from imfine.server.asking import batch_work
from imfine.server.context import Context
from imfine.server.lifecycle import Asked
from imfine.server.schemas import LearnIn, ProbeIn, SliderIn
from imfine.settings import Settings
from imfine.store.runs import Head


def ask_learning(body: LearnIn, ctx: Context) -> Asked:
    """Raises: Invalid or Conflict, and what finding the model raises."""
    check_name(body.name, ctx.settings)
    label = body.label.model_dump(exclude_none=True) if body.label is not None else None
    return _asked(body, body.slider, ctx, name=body.name, label=label or None)


def ask_slider_probe(body: ProbeIn, slider: SliderIn, ctx: Context) -> Asked:
    """Raises: as `ask_learning`."""
    if body.dataset is not None:
        raise Invalid(
            "a knob is learned without data, but a data set is given",
            remedy="give either a dataset or a slider",
            field="dataset",
            value=body.dataset,
        )
    return replace(_asked(body, slider, ctx), replaces=body.replaces)


def _asked(body: LearnIn | ProbeIn, given: SliderIn, ctx: Context, **named: Any) -> Asked:
    slider = Slider(**given.model_dump())
    card, layout = ctx.catalog.find(body.model, body.revision)
    slider.check(layout, card.id)
    return batch_work(body, f"{slider.plus} ↔ {slider.minus}", slider=slider.to_json(), **named)


def forget_knob(settings: Settings, run: Head) -> None:
    """Deletes the knob of a run that was cancelled when it was already written."""
    folder = settings.home / ADAPTERS / run.name
    if run.kind == "learn" and learned(folder, run.id) is not None:
        shutil.rmtree(taken_away(folder), ignore_errors=True)
