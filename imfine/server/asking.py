"""From what a client sent to a run that may be accepted: checked against the model, canonical, with a seed.

Uses the plain half of core; loads no model. Every error names the field as the client wrote it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from imfine.core.families import Layout
from imfine.core.image.sampling import ImageSampling, own_settings
from imfine.core.models.catalog import Card
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.errors import Invalid, PromptTooLong, RecipeError, TooLarge
from imfine.jobs.names import queue_for
from imfine.server.catalog import Catalog
from imfine.server.lifecycle import Asked
from imfine.server.schemas import GenerateIn, In, LaneIn, LearnIn, ProbeIn, TrainIn

MODEL_NAMED = r'"model"\s*:\s*"([^"\\]{1,500})"'


def ask(body: GenerateIn, catalog: Catalog) -> Asked:
    """Raises: Invalid, RecipeError, SamplingError, and what finding the model raises."""
    prompt = _prompt(body)
    sampling = Sampling.parse(_sent(body.sampling))
    image = ImageSampling.parse({} if body.image is None else _sent(body.image))
    recipe = Recipe.parse(_sent(body.recipe))
    card, layout = catalog.find(body.model, body.revision)
    paints = layout.kind == "image"
    _refuse_other_kind(body, card, paints=paints)
    _check(recipe, card, layout, catalog)
    if paints:
        image = image.settled(own_settings(card, layout))
    lanes = _lanes(body, recipe, lambda each: _check(each, card, layout, catalog))
    messages = None if body.messages is None else [m.model_dump() for m in body.messages]
    request = {
        "kind": body.kind,
        "model": body.model,
        "revision": body.revision,
        "prompt": body.prompt,
        "messages": messages,
        "recipe": recipe.to_json(),
        "sampling": {} if paints else sampling.with_seed(_seed(sampling.seed)).to_json(),
        "image": image.with_seed(_seed(image.seed)).to_json() if paints else None,
        "lanes": lanes,
        "top": body.top,
        "dtype": body.dtype,
    }
    return Asked(
        kind=body.kind,
        queue=queue_for(body.kind, len(lanes) * (image.count if paints else 1)),
        model=body.model,
        page=body.page,
        prompt=prompt,
        recipe=recipe.to_json(),
        recipe_hash=recipe.hash,
        request=request,
        replaces=body.replaces,
        body_hash=hashlib.sha256(body.model_dump_json().encode()).hexdigest(),
    )


def batch_work(body: TrainIn | ProbeIn | LearnIn, prompt: str, **own: Any) -> Asked:
    """A checked run of any other kind. `prompt`: what a list of runs shows; `own`: what its request holds
    beside kind and model."""
    request = {"kind": body.kind, "model": body.model, "revision": body.revision, **own}
    return Asked(
        kind=body.kind,
        queue=queue_for(body.kind, 1),
        model=body.model,
        page=body.page,
        prompt=prompt,
        recipe={},
        recipe_hash=Recipe().hash,
        request=request,
        name=own.get("name"),
        body_hash=hashlib.sha256(body.model_dump_json().encode()).hexdigest(),
    )


def again(request: Mapping[str, Any], page: str | None) -> Asked:
    """The same request as a new run. It was checked when it was first asked."""
    recipe = Recipe.parse(request["recipe"])
    messages = request["messages"]
    return Asked(
        kind=request["kind"],
        queue=queue_for(
            request["kind"], len(request["lanes"]) * (request.get("image") or {}).get("count", 1)
        ),
        model=request["model"],
        page=page,
        prompt=request["prompt"] if messages is None else messages[-1]["content"],
        recipe=recipe.to_json(),
        recipe_hash=recipe.hash,
        request=request,
    )


def _seed(given: int | None) -> int:
    return secrets.randbelow(2**32) if given is None else given


def _refuse_other_kind(body: GenerateIn, card: Card, *, paints: bool) -> None:
    """What only the other kind of model understands is not silently left out."""
    sent = body.model_fields_set
    if paints:
        wrong = {
            "sampling": ("sampling" in sent, "say how it draws in `image`"),
            "messages": (body.messages is not None, "give a prompt"),
            "top": (body.top > 0, "leave top out"),
        }
    else:
        wrong = {"image": (body.image is not None, "say how it answers in `sampling`")}
    for field, (given, remedy) in wrong.items():
        if given:
            does = "draws pictures" if paints else "writes text"
            raise Invalid(f"{card.name} {does}: it has no {field}", remedy=remedy, field=field)


def _prompt(body: GenerateIn) -> str:
    """The prompt, or the last message: what a list of runs shows."""
    if (body.prompt is None) == (body.messages is None):
        raise Invalid(
            "a run needs a prompt or messages, and not both", remedy='give "prompt": "…"', field="prompt"
        )
    if body.messages is None:
        assert body.prompt is not None
        if not body.prompt:
            raise Invalid("the prompt is empty", remedy="write a text", field="prompt", value="")
        return body.prompt
    for i, message in enumerate(body.messages):
        if not message.content:
            field = f"messages.{i}.content"
            raise Invalid(f"{field} is empty", remedy="write a text", field=field, value="")
    if not body.messages:
        raise Invalid("messages is empty", remedy="give at least one message", field="messages", value="")
    return body.messages[-1].content


def _check(recipe: Recipe, card: Card, layout: Layout, catalog: Catalog) -> None:
    """Raises: RecipeError for what the model has not: a layer, a point, a delta."""
    recipe.check(layout)
    catalog.check_deltas(recipe, card)


def _lanes(body: GenerateIn, tuned: Recipe, check: Callable[[Recipe], None]) -> list[dict[str, Any]]:
    lanes: list[dict[str, Any]] = []
    for i, lane in enumerate(body.lanes):
        name = lane.name if isinstance(lane, LaneIn) else lane
        if any(name == other["name"] for other in lanes):
            raise Invalid(
                f"two lanes are called {name!r}",
                remedy="give each its own name",
                field=f"lanes.{i}",
                value=name,
            )
        recipe = (
            _lane_recipe(lane, i, check)
            if isinstance(lane, LaneIn)
            else tuned
            if lane == "tuned"
            else Recipe()
        )
        if name == "base" and not recipe.is_neutral:
            raise Invalid(
                "the lane base is the original model, but has a recipe",
                remedy="give the lane another name",
                field=f"lanes.{i}.recipe",
            )
        lanes.append({"name": name, "recipe": recipe.to_json()})
    return lanes


def _lane_recipe(lane: LaneIn, i: int, check: Callable[[Recipe], None]) -> Recipe:
    try:
        recipe = Recipe.parse(_sent(lane.recipe))
        check(recipe)
    except RecipeError as error:
        error.field = f"lanes.{i}.{error.field}"
        raise
    return recipe


def _sent(part: In) -> dict[str, Any]:
    """What the client wrote of it: core fills in the rest."""
    return part.model_dump(exclude_unset=True, exclude_none=True)


def explain_too_large(error: TooLarge, named: str | None, catalog: Catalog) -> TooLarge | PromptTooLong:
    """With the token limit of the model that the body named, where it can be told."""
    if named is None:
        return error
    card, _ = catalog.find(json.loads(f'"{named}"'))
    if card.context_length is None:
        return error
    return PromptTooLong(
        f"{error.message}, and {card.name} reads at most {card.context_length:,} tokens",
        remedy="shorten the prompt",
        field="prompt",
        limit_bytes=error.params["limit_bytes"],
        tokens=card.context_length,
    )
