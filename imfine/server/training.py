"""From what a client sent to a run of training that may be accepted: model, data, plan and name are checked.

Uses the plain half of core; loads no model and reads no data. Every error names the field as it was written.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from imfine.core import memory
from imfine.core.families import Layout
from imfine.core.models.catalog import NAME, Card
from imfine.core.models.known import SHIPPED, starter
from imfine.core.recipe import Recipe
from imfine.core.train.plan import Plan
from imfine.errors import Conflict, Invalid
from imfine.jobs.names import queue_for
from imfine.server.context import Context
from imfine.server.datasets import no_dataset
from imfine.server.lifecycle import Asked
from imfine.server.schemas import EstimateIn, ProbeIn, TrainIn
from imfine.store import datasets, runs

NAME_LENGTH = 64  # what a run's name may have


def ask_training(body: TrainIn, ctx: Context) -> Asked:
    """Raises: Invalid, NotFound or Conflict, and what finding the model raises."""
    _check_name(body.name, ctx)
    return _asked(body, ctx, name=body.name)


def ask_probe(body: ProbeIn, ctx: Context) -> Asked:
    """Raises: as `ask_training`."""
    return replace(_asked(body, ctx), replaces=body.replaces)


def _asked(body: TrainIn | ProbeIn, ctx: Context, **named: str) -> Asked:
    _, _, plan = plan_for(body, ctx)
    dataset = _dataset(body.dataset, ctx)
    recipe = Recipe()
    request: dict[str, Any] = {
        "kind": body.kind,
        "model": body.model,
        "revision": body.revision,
        "dataset": body.dataset,
        "plan": plan.to_json(),
        **named,
    }
    return Asked(
        kind=body.kind,
        queue=queue_for(body.kind, 1),
        model=body.model,
        page=body.page,
        prompt=dataset["name"],
        recipe={},
        recipe_hash=recipe.hash,
        request=request,
        name=named.get("name"),
        body_hash=hashlib.sha256(body.model_dump_json().encode()).hexdigest(),
    )


def plan_for(body: TrainIn | ProbeIn | EstimateIn, ctx: Context) -> tuple[Card, Layout, Plan]:
    """The model, and the plan that fits it. Raises: Invalid, and what finding the model raises."""
    plan = Plan.parse({"dtype": memory.default_dtype(), **body.plan.model_dump(exclude_unset=True)})
    card, layout = ctx.catalog.find(body.model, body.revision)
    plan.check(layout)
    return card, layout, plan


def _check_name(name: str, ctx: Context) -> None:
    can_be = NAME.fullmatch(name) and len(name) <= NAME_LENGTH
    if not can_be or starter(name) is not None or (SHIPPED / name).exists():
        raise Invalid(
            f"a model cannot be called {name!r}",
            remedy=f"give a name of at most {NAME_LENGTH} letters, digits, spaces, + - _ and . "
            "that no starter has",
            field="name",
            value=name,
        )
    with ctx.store.read() as connection:
        run = runs.named(connection, name)
    if run is not None or (ctx.settings.models_dir / name).exists():
        taken = "there is a model" if run is None else f"run {run} makes a model"
        raise Conflict(
            f"{taken} called {name!r} already", remedy="choose another name", field="name", value=name
        )


def _dataset(id: str, ctx: Context) -> dict[str, Any]:
    with ctx.store.read() as connection:
        found = datasets.get(connection, id)
    if found is None:
        raise no_dataset(id, "dataset")
    if found["kind"] != "text":
        raise Invalid(
            f"{found['name']} holds pictures; only text is trained on so far",
            remedy="choose a data set of text",
            field="dataset",
            value=id,
        )
    return found
