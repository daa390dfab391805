"""Data sets of the Hugging Face Hub: fetched while the client looks on, kept like what is given."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.responses import StreamingResponse

from imfine.core.data.hub import SCHEME
from imfine.core.data.records import parse_columns
from imfine.errors import ImfineError
from imfine.server.body import StrictRoute
from imfine.server.context import Context, Ctx
from imfine.server.responses import errors
from imfine.server.routes.datasets import registered
from imfine.server.schemas import FetchStep, HubDatasetIn

router = APIRouter(prefix="/api/datasets", tags=["datasets"], route_class=StrictRoute)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LINES = "application/x-ndjson"


@router.post(
    "/hub",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "lines of JSON, each a FetchStep: phases, and last the data set or an error",
            "model": FetchStep,
            "content": {LINES: {}},
        },
        **errors(401, 403, 404, 409, 413, 422, 424, 429, 503, 507),
    },
    summary="Take data from the Hub",
)
async def fetch(body: HubDatasetIn, ctx: Ctx) -> StreamingResponse:
    """The server fetches it with its own HF_TOKEN. What is wrong from the start is an error's status; what
    goes wrong later is the last line. A client that leaves ends the work; what has come stays in the Hub's
    cache, so that asking again goes on from there."""
    columns = None if body.columns is None else parse_columns(body.columns)
    data = f"{SCHEME}datasets/{body.data.removeprefix(f'{SCHEME}datasets/')}"
    steps = _steps(ctx, data, columns)
    first = await anext(steps)
    return StreamingResponse(_lines(first, steps), media_type=LINES, headers=HEADERS)


async def _steps(
    ctx: Context, data: str, columns: dict[str, str] | None
) -> AsyncGenerator[dict[str, Any], None]:
    with ctx.datasets.fetching(data, columns) as tell:
        while True:
            said = await run_sync(tell, abandon_on_cancel=True)
            if "done" in said:
                yield {"dataset": await run_sync(registered, ctx, said["done"])}
                return
            yield {"phase": said["at"]}


async def _lines(first: dict[str, Any], steps: AsyncGenerator[dict[str, Any], None]) -> AsyncIterator[bytes]:
    async with aclosing(steps):
        yield _line(first)
        try:
            async for step in steps:
                yield _line(step)
        except ImfineError as error:
            yield _line({"error": error.to_json()})


def _line(step: dict[str, Any]) -> bytes:
    return json.dumps(step, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
