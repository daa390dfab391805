"""Runs: ask for one, list them, read one, cancel it, ask for it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query

from imfine.server.context import Ctx
from imfine.server.responses import Json, errors
from imfine.server.schemas import Kind, Run, RunIn, RunList, State

router = APIRouter(prefix="/api/runs", tags=["runs"])
RunPath = Annotated[str, Path(max_length=64, description="the run's id")]


@router.post(
    "",
    status_code=202,
    response_model=Run,
    responses=errors(401, 403, 404, 409, 413, 422, 503),
    summary="Ask for a run",
)
def create(
    body: RunIn, ctx: Ctx, idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None
) -> Json:
    raise NotImplementedError


@router.get("", response_model=RunList, responses=errors(401, 403, 422, 503), summary="Runs, newest first")
def index(
    ctx: Ctx,
    state: State | None = None,
    kind: Kind | None = None,
    model: Annotated[str | None, Query(max_length=500)] = None,
    q: Annotated[str | None, Query(max_length=200, description="in prompt, name, model and id")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> Json:
    raise NotImplementedError


@router.get("/{id}", response_model=Run, responses=errors(401, 403, 404, 422, 503), summary="One run, whole")
def show(id: RunPath, ctx: Ctx) -> Json:
    raise NotImplementedError


@router.post(
    "/{id}/cancel",
    response_model=Run,
    responses=errors(401, 403, 404, 422, 503),
    summary="Cancel, however often",
)
def cancel(id: RunPath, ctx: Ctx) -> Json:
    raise NotImplementedError


@router.post(
    "/{id}/again",
    status_code=202,
    response_model=Run,
    responses=errors(401, 403, 404, 422, 503),
    summary="The same request as a new run",
)
def again(id: RunPath, ctx: Ctx) -> Json:
    raise NotImplementedError
