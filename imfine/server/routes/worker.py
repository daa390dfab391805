"""The workers' side: say hello, claim a run, report, finish or give it back. Not part of the page's API."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.requests import ClientDisconnect

from imfine.errors import Invalid
from imfine.server.artifacts import SHA256, too_large
from imfine.server.body import MAX_FILE, WorkerRoute
from imfine.server.context import Context, Ctx
from imfine.server.leases import HELLO_S, Present
from imfine.server.lifecycle import no_run
from imfine.server.responses import Json
from imfine.server.schemas import In, WorkerName
from imfine.store import artifacts, runs

router = APIRouter(prefix="/api/worker", route_class=WorkerRoute, include_in_schema=False)

HEARTBEAT_S = 1.0
FLUSH_MS = 30
EVENTS = (
    "phase",
    "tokens",
    "lane_end",
    "measures",
    "preview",
    "picture",
    "picture_measures",
    "notice",
    "train_steps",
    "evaluated",
    "sampled",
    "saved",
    "restart",
    "result",
    "train_result",
    "probe_result",
    "slider_result",
)
RunPath = Annotated[str, Path(max_length=64)]
Text = Annotated[str, Field(max_length=500)]


class Hello(In):
    worker: WorkerName
    queues: list[Text]
    pid: int
    host: Text
    device: Text
    memory_total: int
    warm: list[Text]
    methods: list[Text] = Field(default_factory=list)  # of training, that it has the libraries for
    version: Text


class Claim(In):
    worker: WorkerName
    redelivered: bool  # the broker takes whoever had this message before for dead
    message: Text | None = None  # its id, the same at each delivery


class Attempt(In):
    attempt: int = Field(ge=1)


class Events(Attempt):
    seq: int = Field(ge=1)
    events: list[dict[str, Any]]


class Finish(Attempt):
    seq: int = Field(ge=1)
    state: Literal["succeeded", "failed", "cancelled"]
    events: list[dict[str, Any]] = Field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Release(Attempt):
    reason: str
    error: dict[str, Any] | None = None  # the work died of it


@router.post("/hello")
async def hello(body: Hello, ctx: Ctx) -> Json:
    ctx.workers.hello(Present(**body.model_dump()))
    gib = ctx.settings.memory_budget_gib
    return Json(
        {
            "lease_s": ctx.settings.lease_s,
            "heartbeat_s": HEARTBEAT_S,
            "hello_s": HELLO_S,
            "flush_ms": FLUSH_MS,
            "memory_budget": None if gib is None else int(gib * 2**30),
        }
    )


@router.get("/runs/{id}")
def kind(id: RunPath, ctx: Ctx) -> Json:
    """What a worker has to make ready before it claims the run."""
    with ctx.store.read() as connection:
        run = runs.head(connection, id)
    if run is None:
        raise no_run(id)
    return Json({"kind": run.kind})


@router.post("/runs/{id}/claim")
def claim(id: RunPath, body: Claim, ctx: Ctx) -> Json:
    ctx.workers.seen(body.worker)
    run = ctx.life.claim(id, body.worker, redelivered=body.redelivered, message=body.message)
    return Json(
        {
            "run": run.head.id,
            "kind": run.head.kind,
            "attempt": run.head.attempt,
            "request": json.loads(run.request),
            "resume_from_seq": 0,
        }
    )


@router.post("/runs/{id}/events")
def events(id: RunPath, body: Events, ctx: Ctx) -> Json:
    _check(id, body.events, ctx)
    cancel = ctx.life.report(id, body.attempt, body.seq, body.events)
    for event in body.events:
        ctx.metrics.events.labels(event["type"]).inc()
    return Json({"cancel": cancel})


@router.post("/runs/{id}/heartbeat")
def heartbeat(id: RunPath, body: Attempt, ctx: Ctx) -> Json:
    run = ctx.life.heartbeat(id, body.attempt)
    return Json({"cancel": run.cancel, "save": run.save, "pause": run.pause})


@router.post("/runs/{id}/finish")
def finish(id: RunPath, body: Finish, ctx: Ctx) -> Json:
    _check(id, body.events, ctx)
    ctx.life.finish(
        id,
        body.attempt,
        body.seq,
        body.state,
        events=body.events,
        result=body.result,
        error=body.error,
    )
    if body.result is not None and body.result.get("type") in ("train_result", "slider_result"):
        ctx.catalog.forget_deltas()  # there is one more
    return Json({})


@router.put("/runs/{id}/artifacts/{sha256}")
async def artifact(
    id: RunPath,
    sha256: Annotated[str, Path(pattern=SHA256)],
    attempt: Annotated[int, Query(ge=1, le=2**31)],
    request: Request,
    ctx: Ctx,
) -> Json:
    """A picture's file, before its event. As often as one likes."""
    await run_sync(ctx.life.fence, id, attempt)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_FILE:
        raise too_large()
    with await run_sync(ctx.artifacts.upload, sha256) as upload:
        try:
            async for part in request.stream():
                await run_sync(upload.write, part)
        except ClientDisconnect as reason:
            raise Invalid(
                "the upload was cut off", remedy="send the file once more", field="body"
            ) from reason
        await run_sync(upload.close)
        await run_sync(ctx.life.keep, id, attempt, sha256, upload.size, upload.put_in_place)
    return Json({})


@router.post("/runs/{id}/release")
def release(id: RunPath, body: Release, ctx: Ctx) -> Json:
    ctx.life.release(id, body.attempt, body.error)
    return Json({})


def _check(run_id: str, events: list[dict[str, Any]], ctx: Context) -> None:
    for i, event in enumerate(events):
        if event.get("type") not in EVENTS:
            raise Invalid(
                f"events.{i} is of the type {event.get('type')!r}",
                remedy=f"use {', '.join(EVENTS)}",
                field=f"events.{i}.type",
            )
    told = {i: sha256 for i, event in enumerate(events) if (sha256 := _picture(event)) is not None}
    if not told:
        return
    with ctx.store.read() as connection:
        kept = artifacts.among(connection, run_id, list(told.values()))
    for i, sha256 in told.items():
        if sha256 not in kept:
            raise Invalid(
                f"events.{i} tells of a picture that was not uploaded",
                remedy="upload it first",
                field=f"events.{i}.sha256",
            )


def _picture(event: dict[str, Any]) -> str | None:
    """The hash of the picture that an event tells of."""
    told = event.get("picture") if event["type"] == "sampled" else event
    if event["type"] not in ("picture", "sampled") or told is None:
        return None
    return str(told.get("sha256")) if isinstance(told, dict) else ""
