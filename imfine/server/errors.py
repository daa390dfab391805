"""One table that turns whatever was raised into an answer. Knows no route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from imfine.errors import ImfineError, Invalid, NotFound, TooLarge
from imfine.server.responses import Json
from imfine.server.schemas import Kind

log = structlog.get_logger()


class MethodNotAllowed(ImfineError):
    """The path is there, but not for this method."""

    code, status = "method_not_allowed", 405


class Malformed(ImfineError):
    """The request cannot be read as HTTP or JSON."""

    code, status = "malformed", 400


HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "60"},
    503: {"Retry-After": "2"},
}
REMEDIES: Final[Mapping[str, str]] = {
    "missing": "add it",
    "extra_forbidden": "remove it, or look for a slip in its name",
    "model_attributes_type": "send one JSON object",
}
PLACES = ("body", "query", "path", "header", "cookie")
UNION_TAG = re.compile(r"^[A-Z]|[\[(']")  # pydantic puts the alternatives of a union into the path


def answer(error: ImfineError, headers: Mapping[str, str] | None = None) -> Response:
    all_headers = {**HEADERS.get(error.status, {}), **(headers or {})}
    return Json({"error": error.to_json()}, status_code=error.status, headers=all_headers)


def from_validation(errors: RequestValidationError) -> Invalid:
    """The first thing that is wrong; where alternatives failed, the one that got furthest."""
    first = max(errors.errors(), key=lambda e: (e["type"] == "extra_forbidden", len(e["loc"])))
    steps = [str(step) for step in first["loc"]]
    if len(steps) > 1 and steps[0] in PLACES:
        steps = steps[1:]
    if steps and steps[0] in get_args(Kind):  # the union's tag
        steps = steps[1:]
    field = ".".join(step for step in steps if not UNION_TAG.search(step)) or "body"
    message = first["msg"][:1].lower() + first["msg"][1:]
    value = first.get("input")
    return Invalid(
        f"{field}: {message}",
        remedy=REMEDIES.get(first["type"], "see GET /api/openapi.json for what is expected"),
        field=field,
        value=value if isinstance(value, (bool, int, float, str)) else None,
        reason=first["type"],
    )


def from_http(error: HTTPException) -> ImfineError:
    if error.status_code == 404:
        return NotFound("there is nothing at this path", remedy="see GET /api/openapi.json for what there is")
    if error.status_code == 405:
        return MethodNotAllowed("this path does not take this method", remedy="see the Allow header")
    if error.status_code == 413:
        return TooLarge("the body is too large", remedy="send less", field="body")
    return Malformed(str(error.detail), remedy="see GET /api/openapi.json for what is expected")


def internal(reason: BaseException) -> ImfineError:
    log.error("request.failed", exc_info=reason)
    return ImfineError("something went wrong here", remedy="the server's log tells more, by X-Request-Id")


async def _on_imfine(request: Request, error: Exception) -> Response:
    assert isinstance(error, ImfineError)
    unread = error.status == 413 and request.scope["state"].get("unread", False)
    return answer(error, {"Connection": "close"} if unread else None)


async def _on_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(from_validation(error))


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(from_http(error), error.headers)


def install(app: FastAPI) -> None:
    handlers: Mapping[type[Exception], Any] = {
        ImfineError: _on_imfine,
        RequestValidationError: _on_validation,
        HTTPException: _on_http,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
