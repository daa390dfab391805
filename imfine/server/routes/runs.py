"""Runs: ask for one, list them, read one, cancel it, ask for it again."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request

from imfine.errors import TooLarge
from imfine.server.asking import MODEL_NAMED, again, ask, explain_too_large
from imfine.server.body import StrictRoute
from imfine.server.context import Context, Ctx
from imfine.server.learning import ask_learning
from imfine.server.lifecycle import Asked, no_run
from imfine.server.responses import Json, errors
from imfine.server.schemas import GenerateIn, Kind, LearnIn, ProbeIn, Run, RunIn, RunList, State, TrainIn
from imfine.server.training import ask_probe, ask_training, resumable
from imfine.store import runs
from imfine.store.runs import Whole

router = APIRouter(prefix="/api/runs", tags=["runs"], route_class=StrictRoute)
RunPath = Annotated[str, Path(max_length=64, description="the run's id")]


def token_limit(request: Request, ctx: Ctx) -> None:
    """A prompt too large to be read is answered with its model's limit."""
    refused = request.scope["state"].get("refused")
    if refused is not None and isinstance(refused.error, TooLarge):
        named = re.search(MODEL_NAMED, refused.ends.decode(errors="replace"))
        raise explain_too_large(refused.error, named[1] if named else None, ctx.catalog)


@router.post(
    "",
    status_code=202,
    response_model=Run,
    dependencies=[Depends(token_limit)],
    responses=errors(401, 403, 404, 409, 413, 422, 424, 429, 503),
    summary="Ask for a run",
)
def create(
    body: RunIn,
    ctx: Ctx,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Json:
    """The run is kept before the answer: it waits even where the queue is away. The same Idempotency-Key with
    the same body gives the same run for a day, with another body 409."""
    asked = _checked(body, ctx)
    return _taken(ctx, *ctx.life.submit(asked, idempotency_key))


@router.get(
    "", response_model=RunList, responses=errors(401, 403, 422, 429, 503), summary="Runs, newest first"
)
def index(
    ctx: Ctx,
    *,
    state: State | None = None,
    kind: Kind | None = None,
    model: Annotated[str | None, Query(max_length=500)] = None,
    q: Annotated[str | None, Query(max_length=200, description="in prompt, name, model and id")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> Json:
    wanted = runs.Filter(state=state, kind=kind, model=model, q=q)
    with ctx.store.read() as connection:
        heads, following, total = runs.page(connection, wanted, limit, cursor)
        places = runs.queued(connection) if any(run.state == "queued" for run in heads) else {}
    position = {run_id: place for ids in places.values() for place, run_id in enumerate(ids)}
    items = [runs.to_summary(run, position.get(run.id)) for run in heads]
    return Json({"items": items, "next": following, "total": total})


@router.get(
    "/{id}", response_model=Run, responses=errors(401, 403, 404, 422, 429, 503), summary="One run, whole"
)
def show(id: RunPath, ctx: Ctx) -> Json:
    return _answer(ctx, id)


@router.post(
    "/{id}/cancel",
    response_model=Run,
    responses=errors(401, 403, 404, 422, 429, 503),
    summary="Cancel, however often",
)
def cancel(id: RunPath, ctx: Ctx) -> Json:
    """A run that waits is cancelled at once, one that runs at its next token; one that has ended stays.
    No checkpoint is kept of it."""
    ctx.life.cancel(id)
    return _answer(ctx, id)


@router.post(
    "/{id}/save",
    response_model=Run,
    responses=errors(401, 403, 404, 409, 422, 429, 503),
    summary="Stop a training run and keep what it has learned, however often",
)
def save(id: RunPath, ctx: Ctx) -> Json:
    """The run succeeds after its next step, with the reason `stopped`; one that has ended stays."""
    ctx.life.save(id)
    return _answer(ctx, id)


@router.post(
    "/{id}/pause",
    response_model=Run,
    responses=errors(401, 403, 404, 409, 422, 429, 503),
    summary="Stop a training run with a checkpoint, however often",
)
def pause(id: RunPath, ctx: Ctx) -> Json:
    """The run ends as cancelled after its next step. `resumable` says where one that `resumes` it goes on."""
    ctx.life.pause(id)
    return _answer(ctx, id)


@router.post(
    "/{id}/again",
    status_code=202,
    response_model=Run,
    responses=errors(401, 403, 404, 409, 422, 424, 429, 503),
    summary="The same request, seed included, as a new run",
)
def run_again(id: RunPath, ctx: Ctx) -> Json:
    """A model or a knob is not written over: 409 while there is one of its name."""
    before, _ = _find(ctx, id)
    request, page = json.loads(before.request), before.head.page
    kinds = {"train": TrainIn, "probe": ProbeIn, "learn": LearnIn}
    kind = kinds.get(before.head.kind)
    request.pop("resumes", None)  # its checkpoints are used up
    asked = again(request, page) if kind is None else _checked(kind(**request, page=page), ctx)
    return _taken(ctx, *ctx.life.submit(asked))


def _checked(body: GenerateIn | TrainIn | ProbeIn | LearnIn, ctx: Context) -> Asked:
    if isinstance(body, TrainIn):
        return ask_training(body, ctx)
    if isinstance(body, LearnIn):
        return ask_learning(body, ctx)
    return ask_probe(body, ctx) if isinstance(body, ProbeIn) else ask(body, ctx.catalog)


def _find(ctx: Context, run_id: str) -> tuple[Whole, int | None]:
    with ctx.store.read() as connection:
        run = runs.whole(connection, run_id)
        if run is None:
            raise no_run(run_id)
        return run, runs.position(connection, run.head)


def _answer(ctx: Context, run_id: str) -> Json:
    return Json(_told(ctx, *_find(ctx, run_id)))


def _taken(ctx: Context, run: Whole, position: int | None) -> Json:
    return Json(_told(ctx, run, position), status_code=202)


def _told(ctx: Context, run: Whole, position: int | None) -> dict[str, Any]:
    step = resumable(run.head, ctx)
    return runs.to_run(run, position) | {"resumable": None if step is None else {"step": step}}
