"""The live streams (Server-Sent Events). A stream holds no database session: it reads in short steps."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from imfine.server.context import Ctx
from imfine.server.responses import errors
from imfine.server.routes.runs import RunPath

router = APIRouter(prefix="/api", tags=["events"])

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-Sent Events: `id` is the event's number, `event` its type, `data` an `Event` as JSON.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
    }
}
MAX_ID = 2**63 - 1
LastEventId = Annotated[int | None, Header(ge=0, le=MAX_ID, description="resume after this event")]
Last = Annotated[int | None, Query(ge=0, le=MAX_ID, description="the same as Last-Event-ID")]


@router.get(
    "/runs/{id}/events",
    response_class=Response,
    responses=STREAM | errors(401, 403, 404, 422, 503),
    summary="One run's events: what was, then what comes, until it ends",
)
async def of_run(id: RunPath, ctx: Ctx, last_event_id: LastEventId = None, last: Last = None) -> Response:
    raise NotImplementedError


@router.get(
    "/events",
    response_class=Response,
    responses=STREAM | errors(401, 403, 422, 503),
    summary="All that a page follows, in one stream",
)
async def of_page(
    ctx: Ctx,
    page: Annotated[str | None, Query(max_length=64, description="every event of this page's runs")] = None,
    runs: Annotated[
        str | None, Query(max_length=2000, description="and of these runs, comma-separated")
    ] = None,
    last_event_id: LastEventId = None,
    last: Last = None,
) -> Response:
    """Besides, the `state` events of every run. Without a last id: from now on."""
    raise NotImplementedError
