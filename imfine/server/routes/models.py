"""Models: what there is, what the equalizer reaches in one, what a recipe would touch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from imfine.server.body import StrictRoute
from imfine.server.catalog import card_to_json
from imfine.server.context import Ctx
from imfine.server.responses import Json, errors
from imfine.server.schemas import CardList, Manifest, ManifestIn, ModelDetail

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
    return Json(ctx.catalog.detail(id))


@router.post(
    "/manifest",
    response_model=Manifest,
    responses=errors(401, 403, 404, 409, 413, 422, 424, 429, 503),
    summary="Every tensor that a recipe touches",
)
def manifest(body: ManifestIn, ctx: Ctx) -> Json:
    recipe = body.recipe.model_dump(exclude_unset=True, exclude_none=True)
    return Json(ctx.catalog.manifest(body.model, body.revision, recipe))
