"""Is it alive, is it ready, what has it done: for supervisors, probes and Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from imfine.errors import Unavailable
from imfine.server.context import Context, Ctx
from imfine.server.leases import alive
from imfine.server.responses import Json, errors
from imfine.server.schemas import Health, Ready, WorkerList
from imfine.store import runs

public = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])

AWAY: dict[int | str, dict[str, Any]] = {503: {"model": Ready, "description": "a part is away"}}
METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "counters and gauges", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@public.get("/healthz", response_model=Health, responses=errors(403, 422), summary="The process lives")
async def healthz() -> Json:
    return Json({"ok": True})


@public.get(
    "/readyz",
    response_model=Ready,
    responses=errors(403, 422) | AWAY,
    summary="Store, broker and a worker are there",
)
def readyz(ctx: Ctx) -> Json:
    parts = {"store": _store(ctx), "broker": _broker(ctx), "worker": _worker(ctx)}
    ready = all(part["ok"] for part in parts.values())
    return Json({"ok": ready, **parts}, status_code=200 if ready else 503)


def _store(ctx: Context) -> dict[str, Any]:
    try:
        ctx.store.ping()
    except Unavailable as reason:
        return {"ok": False, "detail": reason.message}
    return {"ok": True, "detail": ctx.store.engine.dialect.name}


def _broker(ctx: Context) -> dict[str, Any]:
    away = ctx.publisher.down
    return {"ok": away is None, "detail": away or "the last message went out"}


def _worker(ctx: Context) -> dict[str, Any]:
    names = [worker.worker for worker, age in ctx.workers.all() if alive(age)]
    return {"ok": bool(names), "detail": ", ".join(names) or "no worker has said hello lately"}


@router.get(
    "/metrics",
    response_class=Response,
    responses=METRICS | errors(401, 403, 422, 429, 503),
    summary="For Prometheus",
)
def metrics(ctx: Ctx) -> Response:
    return Response(ctx.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/api/workers",
    response_model=WorkerList,
    responses=errors(401, 403, 422, 429, 503),
    summary="Who works for us",
)
def workers(ctx: Ctx) -> Json:
    with ctx.store.read() as connection:
        running = runs.running(connection)
    items = [
        {
            **{
                name: getattr(worker, name)
                for name in ("worker", "pid", "host", "device", "memory_total", "version")
            },
            "queues": list(worker.queues),
            "warm": list(worker.warm),
            "methods": list(worker.methods),
            "alive": alive(age),
            "seen_s": round(age, 3),
            "runs": [run.id for run in running if run.worker == worker.worker],
        }
        for worker, age in ctx.workers.all()
    ]
    return Json({"items": items})
