"""The live streams (Server-Sent Events). A stream holds no database session: it reads in short steps."""

from __future__ import annotations

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from imfine.server.context import Context, Ctx
from imfine.server.lifecycle import no_run
from imfine.server.responses import errors
from imfine.server.routes.runs import RunPath
from imfine.server.stream import EventStream, Follower
from imfine.store import runs
from imfine.store.events import Wants

router = APIRouter(prefix="/api", tags=["events"])

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-Sent Events. `id`: an event's number, to resume the stream by; `event`: "
        "its type; `data`: an `Event` as JSON. A comment every 15 s shows that the stream lives.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
        "headers": {
            "X-Last-Event-Id": {
                "description": "where the stream begins; resume here if it breaks before its first event",
                "schema": {"type": "integer"},
            }
        },
    }
}
MAX_ID = 2**63 - 1
LastEventId = Annotated[int | None, Header(ge=0, le=MAX_ID, description="resume after this event")]
Last = Annotated[int | None, Query(ge=0, le=MAX_ID, description="the same as Last-Event-ID")]


@router.get(
    "/runs/{id}/events",
    response_class=Response,
    responses=STREAM | errors(401, 403, 404, 422, 429, 503),
    summary="One run's events: what was, then what comes, until it ends",
)
async def of_run(id: RunPath, ctx: Ctx, last_event_id: LastEventId = None, last: Last = None) -> Response:
    await run_sync(_check_run, ctx, id)
    return _stream(ctx, Wants(run=id), _first(last_event_id, last, otherwise=0), ends=True)


@router.get(
    "/events",
    response_class=Response,
    responses=STREAM | errors(401, 403, 422, 429, 503),
    summary="All that a page follows, in one stream",
)
async def of_page(
    ctx: Ctx,
    *,
    page: Annotated[str | None, Query(max_length=64, description="every event of this page's runs")] = None,
    ids: Annotated[
        str | None, Query(alias="runs", max_length=2000, description="and of these runs, comma-separated")
    ] = None,
    last_event_id: LastEventId = None,
    last: Last = None,
) -> Response:
    """Besides, the `state` events of every run. Without a last id: from now on."""
    wants = Wants(page=page, runs=frozenset(filter(None, (ids or "").split(","))))
    now = ctx.life.last_event_id
    return _stream(ctx, wants, min(_first(last_event_id, last, otherwise=now), now), ends=False)


def _first(header: int | None, query: int | None, otherwise: int) -> int:
    return header if header is not None else query if query is not None else otherwise


def _stream(ctx: Context, wants: Wants, last: int, *, ends: bool) -> EventStream:
    return EventStream(Follower(ctx.store, ctx.hub, wants, last, ends=ends), last)


def _check_run(ctx: Context, run_id: str) -> None:
    with ctx.store.read() as connection:
        if runs.head(connection, run_id) is None:
            raise no_run(run_id)
