"""Models: what there is, what the equalizer reaches in one, what a recipe would touch."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from imfine.core.models.folders import taken_away
from imfine.server.body import StrictRoute
from imfine.server.catalog import card_to_json
from imfine.server.context import Ctx
from imfine.server.lifecycle import in_use
from imfine.server.responses import Json, errors
from imfine.server.schemas import CardList, Manifest, ManifestIn, ModelDetail
from imfine.server.training import methods_for
from imfine.store import runs

router = APIRouter(prefix="/api", tags=["models"], route_class=StrictRoute)


@router.get(
    "/models", response_model=CardList, responses=errors(401, 403, 422, 429), summary="The models known here"
)
def index(ctx: Ctx) -> Json:
    return Json({"items": [card_to_json(card) for card in ctx.catalog.cards()]})


@router.get(
    "/models/{id:path}",
    response_model=ModelDetail,
    responses=errors(401, 403, 404, 422, 424, 429, 503),
    summary="One model: its card and what can be turned in it",
)
def show(id: Annotated[str, Path(max_length=500, description="starter, Hub id or folder")], ctx: Ctx) -> Json:
    detail = ctx.catalog.detail(id)
    return Json({**detail, "methods": methods_for(detail["layout"]["kind"], ctx)})


@router.delete(
    "/models/{id:path}",
    status_code=204,
    responses=errors(401, 403, 404, 409, 422, 424, 429, 503),
    summary="Delete a model that was made here and that no run uses",
)
def delete(id: Annotated[str, Path(max_length=500)], ctx: Ctx) -> Response:
    with ctx.store.writing:  # no run is taken meanwhile
        folder = ctx.catalog.made(id)
        with ctx.store.read() as connection:
            run = runs.user_of(connection, id) or runs.turning(connection, id)
        if run is not None:
            raise in_use(run, f"uses {id}", id)
        gone = taken_away(folder)
        ctx.catalog.forget(id)
    shutil.rmtree(gone, ignore_errors=True)
    return Response(status_code=204)


@router.post(
    "/manifest",
    response_model=Manifest,
    responses=errors(401, 403, 404, 409, 413, 422, 424, 429, 503),
    summary="Every tensor that a recipe touches",
)
def manifest(body: ManifestIn, ctx: Ctx) -> Json:
    recipe = body.recipe.model_dump(exclude_unset=True, exclude_none=True)
    return Json(ctx.catalog.manifest(body.model, body.revision, recipe))
