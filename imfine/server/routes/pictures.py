"""Pictures: the files that runs have made, and what a file of ours says of itself."""

from __future__ import annotations

import json
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.responses import FileResponse

from imfine.core.image import png
from imfine.errors import Invalid, NotFound
from imfine.server.artifacts import SHA256
from imfine.server.body import FileRoute
from imfine.server.context import Ctx
from imfine.server.responses import BINARY, Json, errors
from imfine.server.schemas import KeptPicture, Refused

router = APIRouter(prefix="/api", tags=["pictures"], route_class=FileRoute)

Sha256Path = Annotated[str, Path(pattern=SHA256, description="of the file")]
PNG = {"image/png": BINARY}
FILE: dict[int | str, dict[str, Any]] = {200: {"description": "the picture", "content": PNG}}
READ = {"requestBody": {"required": True, "content": PNG}}
FOREVER = "private, max-age=31536000, immutable"


@router.get(
    "/artifacts/{sha256}.png",
    response_class=FileResponse,
    responses=FILE | errors(401, 403, 404, 422, 429),
    summary="A picture that a run has made",
)
def artifact(sha256: Sha256Path, ctx: Ctx) -> FileResponse:
    path = ctx.artifacts.path(sha256)
    if not path.is_file():
        raise NotFound(
            f"there is no picture {sha256}",
            remedy="see the pictures of a run with GET /api/runs/{id}",
            field="sha256",
            value=sha256,
        )
    return FileResponse(
        path,
        media_type="image/png",
        filename=path.name,
        content_disposition_type="inline",
        headers={"Cache-Control": FOREVER},
    )


@router.post(
    "/pictures/read",
    response_model=KeptPicture,
    responses=errors(401, 403, 413, 422, 429),
    openapi_extra=READ,
    summary="What one of our PNGs says of itself",
)
async def read(request: Request) -> Json:
    """Model, prompt, recipe and settings, as the picture was made. Nothing of the file is kept."""
    body = await request.body()
    if isinstance(body, Refused):
        raise body.error
    return Json(await run_sync(_said, body))


def _said(body: bytes) -> dict[str, Any]:
    """Anybody may have written it: what comes out fits the schema and is JSON that can be sent."""
    try:
        said = KeptPicture.model_validate(png.read(body), strict=True).model_dump()
        json.dumps(said, allow_nan=False, ensure_ascii=False).encode()
    except (ValidationError, ValueError, RecursionError) as reason:
        raise Invalid(
            "what the PNG says is not of our form",
            remedy="drop a picture that I'm Fine made",
            field="file",
        ) from reason
    return said
