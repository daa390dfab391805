"""Adapters: give a LoRA or DoRA for a model, list them, take one away. Each is a delta of its model."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from imfine.server.adapters import too_large
from imfine.server.body import StrictRoute
from imfine.server.context import Ctx
from imfine.server.lifecycle import in_use
from imfine.server.receiving import received
from imfine.server.responses import FILE_BODY, Json, errors
from imfine.server.schemas import Adapter, AdapterList
from imfine.store import runs

router = APIRouter(prefix="/api/adapters", tags=["adapters"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    response_model=Adapter,
    responses=errors(401, 403, 404, 409, 413, 422, 424, 429, 503, 507),
    openapi_extra=FILE_BODY,
    summary="Give an adapter: the file is the body",
)
async def create(
    request: Request,
    ctx: Ctx,
    model: Annotated[str, Query(min_length=1, max_length=500, description="the model it was made for")],
    name: Annotated[str, Query(min_length=1, max_length=64, description="what its knob is called")],
) -> Json:
    """A .safetensors file as diffusers or kohya write LoRA, or a zip of PEFT's folder; told by what is in it.
    One of another model is 422, with the shapes it asks for, and nothing is kept."""
    card, _ = await run_sync(ctx.catalog.find, model)
    async with received(request, ctx.adapters.upload, ctx.adapters.limit, too_large) as upload:
        told = await run_sync(ctx.adapters.store, upload.path, name, card)
    ctx.catalog.forget_deltas()
    return Json(told, status_code=201)


@router.get(
    "",
    response_model=AdapterList,
    responses=errors(401, 403, 422, 429, 503),
    summary="The adapters that were given, by name",
)
def index(ctx: Ctx) -> Json:
    return Json({"items": ctx.adapters.every()})


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(401, 403, 404, 409, 422, 429, 503),
    summary="Delete an adapter that no run uses",
)
def delete(id: Annotated[str, Path(max_length=200, description="its name")], ctx: Ctx) -> Response:
    with ctx.store.writing:
        with ctx.store.read() as connection:
            run = runs.turning(connection, id)
        if run is not None:
            raise in_use(run, f"uses the adapter {id}", id)
        ctx.adapters.take_away(id)
    ctx.catalog.forget_deltas()
    return Response(status_code=204)
