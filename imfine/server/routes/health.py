"""Is it alive, is it ready, what has it done: for supervisors, probes and Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from imfine.server.context import Ctx
from imfine.server.responses import Json, errors
from imfine.server.schemas import Health, Ready, WorkerList

public = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


@public.get("/healthz", response_model=Health, responses=errors(403), summary="The process lives")
def healthz() -> Json:
    return Json({"ok": True})


@public.get(
    "/readyz",
    response_model=Ready,
    responses=errors(403) | {503: {"model": Ready, "description": "a part is away"}},
    summary="Store, broker and a worker are there",
)
def readyz(ctx: Ctx) -> Json:
    raise NotImplementedError


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}} | errors(401, 403),
    summary="For Prometheus",
)
def metrics(ctx: Ctx) -> Response:
    raise NotImplementedError


@router.get("/api/workers", response_model=WorkerList, responses=errors(401, 403), summary="Who works for us")
def workers(ctx: Ctx) -> Json:
    raise NotImplementedError
