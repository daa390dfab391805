"""The append-only log of what happened to runs. Ids are given here, under the store's write lock."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, func, insert, or_, select

from imfine.store.tables import events, runs


@dataclass(frozen=True)
class Logged:
    """An event as it stands in the log. `data` is JSON: `run`, `attempt`, `type` and the event's fields."""

    id: int
    run_id: str
    page: str | None
    type: str
    data: str


class Told(Protocol):
    """What a reader may want: an event of the log, or one that passes."""

    @property
    def run_id(self) -> str: ...
    @property
    def page(self) -> str | None: ...
    @property
    def type(self) -> str: ...


@dataclass(frozen=True)
class Wants:
    """What a reader follows: one run whole (`run`), or a page's runs, named runs and every `state` event."""

    run: str | None = None
    page: str | None = None
    runs: Collection[str] = ()

    def __call__(self, event: Told) -> bool:
        if self.run is not None:
            return event.run_id == self.run
        of_page = self.page is not None and event.page == self.page
        return event.type == "state" or of_page or event.run_id in self.runs


class Log:
    """Appends events. One object a process: it knows the last id given."""

    def __init__(self, connection: Connection) -> None:
        self.last_id = connection.scalar(select(func.max(events.c.id))) or 0

    def append(
        self,
        connection: Connection,
        run_id: str,
        page: str | None,
        attempt: int,
        new: Sequence[Mapping[str, Any]],
    ) -> list[Logged]:
        """Only inside `Store.write()`. Ids may have holes: one whose transaction fails is not used again."""
        if not new:
            return []
        logged = []
        for event in new:
            self.last_id += 1
            data = to_json({"run": run_id, "attempt": attempt} | dict(event))
            logged.append(Logged(self.last_id, run_id, page, event["type"], data))
        columns = ({"id": e.id, "run_id": e.run_id, "type": e.type, "data": e.data} for e in logged)
        connection.execute(insert(events), [{**row, "attempt": attempt} for row in columns])
        return logged


def after(connection: Connection, wants: Wants, last: int, limit: int) -> list[Logged]:
    """The next events after id `last` that a reader wants, in order."""
    query = (
        select(events.c.id, events.c.run_id, runs.c.page, events.c.type, events.c.data)
        .join(runs, runs.c.id == events.c.run_id)
        .where(events.c.id > last)
        .order_by(events.c.id)
        .limit(limit)
    )
    if wants.run is not None:
        query = query.where(events.c.run_id == wants.run)
    else:
        any_of = [events.c.type == "state", events.c.run_id.in_(wants.runs)]
        if wants.page is not None:
            any_of.append(runs.c.page == wants.page)
        query = query.where(or_(*any_of))
    return [Logged(*row) for row in connection.execute(query)]


def of_types(
    connection: Connection, run_id: str, types: Collection[str], last: int, limit: int
) -> list[tuple[int, str]]:
    """(id, data) of the next events of a run after id `last`, in order."""
    query = (
        select(events.c.id, events.c.data)
        .where(events.c.run_id == run_id, events.c.id > last, events.c.type.in_(types))
        .order_by(events.c.id)
        .limit(limit)
    )
    return [(row.id, row.data) for row in connection.execute(query)]


def to_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
