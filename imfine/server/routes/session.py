"""The browser's session: a token becomes a cookie."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from imfine.server.context import Ctx
from imfine.server.responses import Json, errors
from imfine.server.schemas import LoginIn, Session

public = APIRouter(prefix="/api", tags=["session"])
router = APIRouter(prefix="/api", tags=["session"])


@public.post(
    "/login",
    response_model=Session,
    responses=errors(401, 403, 413, 422, 429),
    summary="Trade a token, permanent or one-time, for a cookie",
)
def login(body: LoginIn, ctx: Ctx) -> Json:
    raise NotImplementedError


@public.post("/logout", status_code=204, responses=errors(403), summary="Let the cookie go")
def logout() -> Response:
    raise NotImplementedError


@router.get("/session", response_model=Session, responses=errors(401, 403), summary="Who am I talking to")
def session(ctx: Ctx) -> Json:
    raise NotImplementedError
