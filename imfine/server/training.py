"""From what a client sent to a run of training that may be accepted: model, data, plan and name are checked.

Uses the plain half of core; loads no model and reads no data. Every error names the field as it was written.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from imfine.core import memory
from imfine.core.families import Layout
from imfine.core.models.catalog import Card, check_name
from imfine.core.quantised import INSTALL
from imfine.core.train.home import Home
from imfine.core.train.plan import METHODS, Plan
from imfine.errors import Conflict, Invalid
from imfine.server.asking import batch_work
from imfine.server.context import Context
from imfine.server.curves import joined_events
from imfine.server.datasets import no_dataset
from imfine.server.learning import ask_slider_probe
from imfine.server.lifecycle import Asked, no_run
from imfine.server.schemas import EstimateIn, ProbeIn, TrainIn
from imfine.settings import Settings
from imfine.store import datasets, runs
from imfine.store.runs import Head

SAME = ("name", "model", "revision", "dataset")  # of a run and of the one that goes on with it


def ask_training(body: TrainIn, ctx: Context) -> Asked:
    """Raises: Invalid, NotFound or Conflict, and what finding the model raises."""
    _check_free(body.name, ctx)
    asked = _asked(body, body.dataset, ctx, name=body.name, resumes=body.resumes)
    if body.resumes is None:
        return asked
    step = _check_resumes(body.resumes, asked, ctx)
    return replace(asked, earlier=joined_events(ctx.store, body.resumes, step))


def ask_probe(body: ProbeIn, ctx: Context) -> Asked:
    """Raises: as `ask_training` or `ask_learning`."""
    if body.slider is not None:
        return ask_slider_probe(body, body.slider, ctx)
    if body.dataset is None:
        raise Invalid(
            "there is nothing to learn from",
            remedy="give a dataset, or to measure a knob a slider",
            field="dataset",
            value=None,
        )
    return replace(_asked(body, body.dataset, ctx), replaces=body.replaces)


def resumable(run: Head, ctx: Context) -> int | None:
    """The step from which another run may go on with this one; None: there is nothing to go on with."""
    if run.kind != "train" or run.state not in ("failed", "cancelled"):
        return None
    home = Home(ctx.settings.models_dir / run.name)
    return home.step if home.owner == run.id else None


def forget_checkpoints(settings: Settings, run: Head) -> None:
    """Deletes what a training run has kept in order to go on."""
    home = Home(settings.models_dir / run.name)
    if run.kind == "train" and home.owner == run.id:
        home.remove()


def _check_resumes(id: str, asked: Asked, ctx: Context) -> int:
    """The step from which it goes on. Raises: NotFound, Conflict."""
    with ctx.store.read() as connection:
        before = runs.whole(connection, id)
    if before is None:
        raise no_run(id, "resumes")
    step = resumable(before.head, ctx)
    if step is None:
        goes_on = before.head.state in ("queued", "running")
        raise Conflict(
            f"run {id} {'goes on itself' if goes_on else 'has no checkpoint to go on from'}",
            remedy="wait for it" if goes_on else "start anew, without resumes",
            field="resumes",
            value=id,
        )
    old = json.loads(before.request)
    differs = next((name for name in SAME if old[name] != asked.request[name]), None)
    if differs is None and (setting := Plan.parse(asked.request["plan"]).resumes(Plan.parse(old["plan"]))):
        differs, old, asked_for = f"plan.{setting}", old["plan"][setting], asked.request["plan"][setting]
    elif differs is not None:
        old, asked_for = old[differs], asked.request[differs]
    if differs is not None:
        raise Conflict(
            f"{differs} is {asked_for!r:.100}, but run {id} was begun with {old!r:.100}",
            remedy="leave it as it was, or start anew, without resumes",
            field=differs,
            value=repr(asked_for),
        )
    return step


def _asked(body: TrainIn | ProbeIn, id: str, ctx: Context, **named: str | None) -> Asked:
    _, layout, plan = plan_for(body, ctx)
    dataset = _dataset(id, layout, ctx)
    return batch_work(body, dataset["name"], dataset=id, plan=plan.to_json(), **named)


def plan_for(body: TrainIn | ProbeIn | EstimateIn, ctx: Context) -> tuple[Card, Layout, Plan]:
    """The model, and the plan that fits it. Raises: Invalid, and what finding the model raises."""
    plan = Plan.parse({"dtype": memory.default_dtype(), **body.plan.model_dump(exclude_unset=True)})
    card, layout = ctx.catalog.find(body.model, body.revision)
    plan.check(layout)
    if ctx.workers.trainers() and plan.method not in methods_for(layout.kind, ctx):
        raise Invalid(
            f"method {plan.method} needs bitsandbytes, which no worker has",
            remedy=f"use lora, or where a worker runs {INSTALL}",
            field="plan.method",
            value=plan.method,
        )
    return card, layout, plan


def methods_for(kind: str, ctx: Context) -> list[str]:
    """How a model of this kind can be trained by the workers that are there, in METHODS' order."""
    told = {method for worker in ctx.workers.trainers() for method in worker.methods}
    return [method for method in METHODS if method != "qlora" or (method in told and kind == "text")]


def _check_free(name: str, ctx: Context) -> None:
    check_name(name, ctx.settings)
    if (ctx.settings.models_dir / name).exists():
        raise Conflict(
            f"there is a model called {name!r} already",
            remedy="choose another name",
            field="name",
            value=name,
        )


def _dataset(id: str, layout: Layout, ctx: Context) -> dict[str, Any]:
    with ctx.store.read() as connection:
        found = datasets.get(connection, id)
    if found is None:
        raise no_dataset(id, "dataset")
    if found["kind"] != layout.kind:
        draws = layout.kind == "image"
        raise Invalid(
            f"{found['name']} holds {'text' if draws else 'pictures'}, "
            f"the model {'draws pictures' if draws else 'writes text'}",
            remedy=f"choose a data set of {'pictures' if draws else 'text'}",
            field="dataset",
            value=id,
        )
    return found
