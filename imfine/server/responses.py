"""How answers are described in the OpenAPI document and sent as JSON."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from imfine.server.schemas import Error

WHY = {
    400: "the request is malformed",
    401: "no token, or a wrong one",
    403: "a foreign host or origin, or a gated model",
    404: "nothing of this id",
    409: "contradicts what is already there",
    413: "the body is too large",
    422: "a field holds a value that cannot be used",
    424: "the model has to be fetched, and the Hub cannot be reached",
    429: "too many wrong tokens",
    507: "there is no room on the disk",
    503: "a part of the service is away; try again",
}


BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
FILE_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: each of these statuses answers with an `Error`."""
    return {status: {"model": Error, "description": WHY[status]} for status in statuses}


class Json(Response):
    """Compact UTF-8 JSON of plain data that our own code made: no second validation on the way out."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
