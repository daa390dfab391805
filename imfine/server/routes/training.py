"""Training, before it starts: what a plan would take."""

from __future__ import annotations

from fastapi import APIRouter

from imfine.server.body import StrictRoute
from imfine.server.context import Ctx
from imfine.server.responses import Json, errors
from imfine.server.schemas import Estimate, EstimateIn
from imfine.server.training import plan_for

router = APIRouter(prefix="/api/train", tags=["training"], route_class=StrictRoute)


@router.post(
    "/estimate",
    response_model=Estimate,
    responses=errors(401, 403, 404, 413, 422, 424, 429, 503),
    summary="What a plan trains, and the memory it takes",
)
def estimate(body: EstimateIn, ctx: Ctx) -> Json:
    """Told from shapes: the model need not be on this disk where its config is known. How long it takes is
    told by a run of kind `probe`."""
    card, layout, plan = plan_for(body, ctx)
    return Json(ctx.estimates.tell(card, plan, plan.tokens(layout)))
