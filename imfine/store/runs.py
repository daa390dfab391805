"""Runs: put one in, read it, list them, move it on. Plain rows in and out: knows not what a move means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, delete, func, insert, select, update

from imfine.store.tables import keys, runs

TERMINAL = ("succeeded", "failed", "cancelled")
MAKING = ("train", "learn")  # kinds of runs that make something of their name
EXCERPT = 200
SEARCHED = 10_000  # characters of the prompt that a search sees
KEY_LIFE_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Head:
    """A run without its long texts: what lists, claims and reports need."""

    id: str
    kind: str
    state: str
    queue: str
    name: str
    model: str
    page: str | None
    attempt: int
    lost: int
    seq: int
    cancel: bool
    save: bool
    pause: bool
    worker: str | None
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    recipe_hash: str
    excerpt: str
    phase: str | None
    error: str | None
    recipe: str

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL


HEAD = [f.name for f in fields(Head)]


@dataclass(frozen=True)
class Whole:
    """A run with all that was asked and answered."""

    head: Head
    request: str
    result: str | None


def put(connection: Connection, head: Head, request: str, prompt: str) -> None:
    search = "\n".join((head.id, head.name, head.model, prompt[:SEARCHED])).casefold()
    values = {name: getattr(head, name) for name in HEAD}
    connection.execute(insert(runs).values(**values, search=search, request=request))


def head(connection: Connection, run_id: str) -> Head | None:
    row = connection.execute(select(*_head()).where(runs.c.id == run_id)).first()
    return Head(*row) if row else None


def whole(connection: Connection, run_id: str) -> Whole | None:
    row = connection.execute(
        select(*_head(), runs.c.request, runs.c.result).where(runs.c.id == run_id)
    ).first()
    return Whole(Head(*row[: len(HEAD)]), row[-2], row[-1]) if row else None


def change(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


@dataclass(frozen=True)
class Filter:
    """What a list shows; None: everything. `q` is looked for in id, name, model and prompt, in any case."""

    state: str | None = None
    kind: str | None = None
    model: str | None = None
    q: str | None = None


def page(
    connection: Connection, wanted: Filter, limit: int, before: str | None
) -> tuple[list[Head], str | None, int]:
    """(runs, cursor of the next page, how many there are in all), newest first."""
    rows = connection.execute(page_query(wanted, limit + 1, before)).all()
    heads = [Head(*row) for row in rows[:limit]]
    following = heads[-1].id if len(rows) > limit else None
    total = connection.scalar(_filtered(select(func.count()).select_from(runs), wanted)) or 0
    return heads, following, total


def page_query(wanted: Filter, limit: int, before: str | None) -> Select[Any]:
    query = _filtered(select(*_head()), wanted).order_by(runs.c.id.desc()).limit(limit)
    return query if before is None else query.where(runs.c.id < before)


def _filtered(query: Select[Any], wanted: Filter) -> Select[Any]:
    for column, value in (
        (runs.c.state, wanted.state),
        (runs.c.kind, wanted.kind),
        (runs.c.model, wanted.model),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.q:
        query = query.where(func.instr(runs.c.search, wanted.q.casefold()) > 0)
    return query


def _head() -> list[Column[Any]]:
    return [runs.c[name] for name in HEAD]


# ---------------------------------------------------------------- the queue


def position(connection: Connection, run: Head) -> int | None:
    """How many older runs of its queue still wait; None unless it waits itself."""
    if run.state != "queued":
        return None
    older = select(func.count()).where(
        runs.c.state == "queued", runs.c.queue == run.queue, runs.c.id < run.id
    )
    return connection.scalar(older) or 0


def queued(connection: Connection) -> dict[str, list[str]]:
    """queue → ids of its waiting runs, oldest first."""
    rows = connection.execute(
        select(runs.c.queue, runs.c.id).where(runs.c.state == "queued").order_by(runs.c.id)
    )
    waiting: dict[str, list[str]] = {}
    for queue, run_id in rows:
        waiting.setdefault(queue, []).append(run_id)
    return waiting


def running(connection: Connection) -> list[Head]:
    return [Head(*row) for row in connection.execute(select(*_head()).where(runs.c.state == "running"))]


def named(connection: Connection, name: str) -> str | None:
    """A run that waits or runs and will make a model or a delta of this name."""
    return connection.scalar(
        select(runs.c.id)
        .where(runs.c.kind.in_(MAKING), runs.c.state.in_(("queued", "running")), runs.c.name == name)
        .limit(1)
    )


def turning(connection: Connection, delta: str) -> str | None:
    """A run that waits or runs and whose recipes name this delta."""
    named = json.dumps(delta, ensure_ascii=False)[1:-1]
    found = connection.execute(
        select(runs.c.id, runs.c.request).where(
            runs.c.kind.not_in(MAKING),
            runs.c.state.in_(("queued", "running")),
            runs.c.request.contains(named, autoescape=True),
        )
    )
    for run_id, request in found:
        asked = json.loads(request)
        recipes = [asked.get("recipe") or {}, *(lane["recipe"] for lane in asked.get("lanes") or ())]
        if any(delta in recipe.get("deltas", {}) for recipe in recipes):
            return str(run_id)
    return None


def user_of(connection: Connection, model: str) -> str | None:
    """A run that waits or runs and answers with this model, or trains it."""
    return connection.scalar(
        select(runs.c.id).where(runs.c.state.in_(("queued", "running")), runs.c.model == model).limit(1)
    )


def counts(connection: Connection) -> Mapping[str, int]:
    """state → how many runs."""
    rows = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state))
    return {state: n for state, n in rows}


# ---------------------------------------------------------------- idempotency


def key(connection: Connection, name: str, now_ms: int) -> tuple[str, str] | None:
    """(body hash, run id) of a key younger than a day."""
    row = connection.execute(
        select(keys.c.body_hash, keys.c.run_id).where(
            keys.c.key == name, keys.c.created_ms > now_ms - KEY_LIFE_MS
        )
    ).first()
    return (row[0], row[1]) if row else None


def keep_key(connection: Connection, name: str, body_hash: str, run_id: str, now_ms: int) -> None:
    connection.execute(delete(keys).where(keys.c.created_ms <= now_ms - KEY_LIFE_MS))
    connection.execute(insert(keys).values(key=name, body_hash=body_hash, run_id=run_id, created_ms=now_ms))


# ---------------------------------------------------------------- as JSON


def iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_summary(run: Head, at: int | None) -> dict[str, Any]:
    """As the API's `RunSummary`; `at` is its position in the queue."""
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "name": run.name,
        "model": run.model,
        "page": run.page,
        "prompt": run.excerpt,
        "recipe": json.loads(run.recipe),
        "recipe_hash": run.recipe_hash,
        "attempt": run.attempt,
        "worker": run.worker,
        "position": at,
        "phase": json.loads(run.phase) if run.phase else None,
        "error": json.loads(run.error) if run.error else None,
        "created_at": iso(run.created_ms),
        "started_at": iso(run.started_ms),
        "finished_at": iso(run.finished_ms),
    }


def to_run(run: Whole, at: int | None) -> dict[str, Any]:
    """As the API's `Run`."""
    request = json.loads(run.request)
    messages = request.get("messages")
    prompt = request.get("prompt", run.head.excerpt) if messages is None else messages[-1]["content"]
    result = json.loads(run.result) if run.result else None
    return to_summary(run.head, at) | {"prompt": prompt, "request": request, "result": result}
