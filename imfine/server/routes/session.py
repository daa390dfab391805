"""The browser's session: a token becomes a cookie."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from imfine.server.auth import COOKIE, SESSION_S
from imfine.server.body import MAX_BODY, StrictRoute
from imfine.server.context import Context, Ctx, address
from imfine.server.responses import Json, errors
from imfine.server.schemas import LoginIn, Session
from imfine.version import VERSION

public = APIRouter(prefix="/api", tags=["session"], route_class=StrictRoute)
router = APIRouter(prefix="/api", tags=["session"])


@public.post(
    "/login",
    response_model=Session,
    responses=errors(401, 403, 413, 422, 429),
    summary="Trade a token, permanent or one-time, for a cookie",
)
async def login(body: LoginIn, request: Request, ctx: Ctx) -> Response:
    cookie = ctx.auth.login(body.token, address(request))
    response = _session(ctx)
    response.set_cookie(
        COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="strict", secure=ctx.auth.secure
    )
    return response


@public.post("/logout", status_code=204, responses=errors(403, 422), summary="Let the cookie go")
async def logout(ctx: Ctx) -> Response:
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=ctx.auth.secure)
    return response


@router.get(
    "/session", response_model=Session, responses=errors(401, 403, 422, 429), summary="Who am I talking to"
)
async def session(ctx: Ctx) -> Response:
    return _session(ctx)


def _session(ctx: Context) -> Json:
    return Json(
        {
            "version": VERSION,
            "public_url": ctx.settings.public_url,
            "languages": ["ko", "en"],
            "max_body_bytes": MAX_BODY,
        }
    )
