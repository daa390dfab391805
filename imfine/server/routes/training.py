"""Training: what a plan would take, and a run's curves as files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from imfine.errors import NotFound
from imfine.server.body import StrictRoute
from imfine.server.context import Context, Ctx
from imfine.server.curves import as_csv as as_csv_lines
from imfine.server.curves import as_tensorboard
from imfine.server.lifecycle import no_run, now_ms
from imfine.server.responses import BINARY, Json, errors
from imfine.server.routes.runs import RunPath
from imfine.server.schemas import Estimate, EstimateIn
from imfine.server.training import plan_for
from imfine.store import runs
from imfine.store.runs import Head

router = APIRouter(prefix="/api/train", tags=["training"], route_class=StrictRoute)
curves = APIRouter(prefix="/api/runs", tags=["training"], route_class=StrictRoute)


def _file(media_type: str, what: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": what, "content": {media_type: BINARY}}}


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
    return Json(ctx.estimates.tell(card, plan, layout))


@curves.get(
    "/{id}/curves.csv",
    response_class=StreamingResponse,
    responses=_file("text/csv", "the points, by step") | errors(401, 403, 404, 422, 429, 503),
    summary="A training run's curves as CSV",
)
def as_csv(id: RunPath, ctx: Ctx) -> StreamingResponse:
    """Also of a run that goes on. What was not told of a step is left empty."""
    run = _trains(id, ctx)
    return _download(as_csv_lines(ctx.store, run.id), "text/csv; charset=utf-8", f"{run.name}-curves.csv")


@curves.get(
    "/{id}/tensorboard",
    response_class=StreamingResponse,
    responses=_file("application/octet-stream", "an event file") | errors(401, 403, 404, 422, 429, 503),
    summary="A training run's curves as TensorBoard reads them",
)
def as_event_file(id: RunPath, ctx: Ctx) -> StreamingResponse:
    """Put it in a folder, and name that to `tensorboard --logdir`. Wall times are spread over the run."""
    run = _trains(id, ctx)
    name = f"events.out.tfevents.{(run.started_ms or run.created_ms) // 1000}.imfine.{run.id}"
    return _download(as_tensorboard(ctx.store, run, now_ms()), "application/octet-stream", name)


def _trains(id: str, ctx: Context) -> Head:
    """Raises: NotFound, for a run that trains nothing too."""
    with ctx.store.read() as connection:
        run = runs.head(connection, id)
    if run is None:
        raise no_run(id)
    if run.kind not in runs.MAKING:
        raise NotFound(
            f"run {id} trains nothing: it has no curves",
            remedy="list the runs that train with GET /api/runs?kind=train",
            field="id",
            value=id,
        )
    return run


def _download(parts: Iterator[bytes], media_type: str, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return StreamingResponse(parts, media_type=media_type, headers=headers)
