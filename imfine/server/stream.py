"""Server-Sent Events: what the log holds after the reader's last id, then what comes. No gap, no double.

What passes (previews) is told without an id: nobody resumes there.

The store is read in short steps on a worker thread; between them the stream holds no session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import anyio
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from imfine.server.hub import Hub, Passing, Reader
from imfine.store import events, runs
from imfine.store.engine import Store
from imfine.store.events import Logged, Wants

PING = b": ping\n\n"
PING_S = 15.0
STEP = 500  # events read from the log at a time


class Follower:
    """One reader's way through the log and into the present."""

    def __init__(self, store: Store, hub: Hub, wants: Wants, last: int, *, ends: bool) -> None:
        self.reader = Reader(wants)
        self._store, self._hub, self._wants = store, hub, wants
        self._last = last
        self._ends = ends  # with the run it follows

    async def chunks(self) -> AsyncIterator[bytes]:
        # The id alone, no data: a browser that loses the stream before its first event resumes from here.
        yield f"id: {self._last}\n\n".encode()
        listening = False
        try:
            ended = self._ends and await run_sync(self._has_ended)
            while True:
                found = await run_sync(self._read)
                if found:
                    yield self._encode(found)
                if self._over(found) or self._hub.closed:
                    return
                if len(found) < STEP and listening:
                    break
                if len(found) < STEP:  # listen first, then look once more: nothing slips between
                    self._hub.enter(self.reader)
                    listening = True
            self.reader.forget_passing()
            if ended:  # and the reader had seen it
                return
            while self.reader.open:
                news = [event for event in await self.reader.take(PING_S) if self._is_new(event)]
                if news:
                    yield self._encode(news)
                elif self.reader.open:
                    yield PING
                if self._over(news):
                    return
        finally:
            self._hub.leave(self.reader)

    def _read(self) -> list[Logged]:
        with self._store.read() as connection:
            return events.after(connection, self._wants, self._last, STEP)

    def _has_ended(self) -> bool:
        assert self._wants.run is not None
        with self._store.read() as connection:
            run = runs.head(connection, self._wants.run)
        return run is None or run.terminal

    def _is_new(self, event: Logged | Passing) -> bool:
        return isinstance(event, Passing) or event.id > self._last

    def _over(self, found: Iterable[Logged | Passing]) -> bool:
        return self._ends and any(e.type == "state" and _is_end(e) for e in found)

    def _encode(self, found: Iterable[Logged | Passing]) -> bytes:
        parts = []
        for event in found:
            parts.append(f"event: {event.type}\ndata: {event.data}\n")
            if isinstance(event, Logged):
                self._last = event.id
                parts.append(f"id: {event.id}\n")
            parts.append("\n")
        return "".join(parts).encode()


def _is_end(event: Logged | Passing) -> bool:
    return any(f'"state":"{state}"' in event.data for state in runs.TERMINAL)


class EventStream(StreamingResponse):
    """Ends when its reader is dropped, even in the middle of a send that the client does not take."""

    media_type = "text/event-stream"

    def __init__(self, follower: Follower, last: int) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Last-Event-Id": str(last)}
        super().__init__(follower.chunks(), headers=headers)
        self._reader = follower.reader

    async def stream_response(self, send: Send) -> None:
        with anyio.CancelScope() as scope:
            self._reader.on_drop = scope.cancel
            await super().stream_response(send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.body_iterator.aclose()  # type: ignore[attr-defined]
