"""From what a client sent to a run that learns a knob and may be accepted: model, slider, name are checked.

Uses the plain half of core; loads no model. Every error names the field as it was written.
"""

from __future__ import annotations

import hashlib
import shutil

from imfine.core.deltas.keeping import check_name
from imfine.core.models.folders import ADAPTERS, taken_away
from imfine.core.recipe import Recipe
from imfine.core.train.slider import Slider, learned
from imfine.jobs.names import queue_for
from imfine.server.context import Context
from imfine.server.lifecycle import Asked
from imfine.server.schemas import LearnIn
from imfine.settings import Settings
from imfine.store.runs import Head


def ask_learning(body: LearnIn, ctx: Context) -> Asked:
    """Raises: Invalid or Conflict, and what finding the model raises."""
    check_name(body.name, ctx.settings)
    slider = Slider(**body.slider.model_dump())
    card, layout = ctx.catalog.find(body.model, body.revision)
    slider.check(layout, card.id)
    label = body.label.model_dump(exclude_none=True) if body.label is not None else None
    return Asked(
        kind=body.kind,
        queue=queue_for(body.kind, 1),
        model=body.model,
        page=body.page,
        prompt=f"{slider.plus} ↔ {slider.minus}",
        recipe={},
        recipe_hash=Recipe().hash,
        request={
            "kind": body.kind,
            "model": body.model,
            "revision": body.revision,
            "name": body.name,
            "slider": slider.to_json(),
            "label": label or None,
        },
        name=body.name,
        body_hash=hashlib.sha256(body.model_dump_json().encode()).hexdigest(),
    )


def forget_knob(settings: Settings, run: Head) -> None:
    """Deletes the knob of a run that was cancelled when it was already written."""
    folder = settings.home / ADAPTERS / run.name
    if run.kind == "learn" and learned(folder, run.id) is not None:
        shutil.rmtree(taken_away(folder), ignore_errors=True)
