"""The live streams: what is appended to the log wakes whoever follows it. Knows no database and no HTTP.

Every reader has a bounded buffer. One that falls behind is dropped; it returns with the last id it saw and
reads the rest from the log. What passes (a picture's previews) is in no log: of the same thing only the
latest waits for a reader, and a reader that is behind loses it before anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from imfine.store.events import Logged, Wants

BUFFER_EVENTS = 2000
BUFFER_BYTES = 4 << 20
PASSING_BYTES = 1 << 20  # beside these, what passes


@dataclass(frozen=True)
class Passing:
    """An event for whoever listens now. A later one of the same `key` takes its place."""

    key: Hashable
    run_id: str
    page: str | None
    type: str
    data: str


class Reader:
    """One stream's buffer. Lives on the event loop."""

    def __init__(self, wants: Wants) -> None:
        self.wants = wants
        self.open = True
        self.on_drop: Callable[[], None] = lambda: None  # set by who may be stuck in a send
        self._buffer: dict[Hashable, Logged | Passing] = {}  # in the order they came
        self._logged = self._bytes = self._passing_bytes = 0
        self._woken = asyncio.Event()

    def offer(self, event: Logged | Passing) -> None:
        if not self.open or not self.wants(event):
            return
        self._woken.set()
        if isinstance(event, Passing):
            self._offer_passing(event)
            return
        self._buffer[event.id] = event
        self._logged += 1
        self._bytes += len(event.data)
        if self._logged > BUFFER_EVENTS or self._bytes > BUFFER_BYTES:
            self.end()
            self.on_drop()

    def _offer_passing(self, event: Passing) -> None:
        self._forget(event.key)
        self._buffer[event.key] = event
        self._passing_bytes += len(event.data)
        for key in [key for key, kept in self._buffer.items() if isinstance(kept, Passing)]:
            if self._passing_bytes <= PASSING_BYTES:
                return
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        if (before := self._buffer.pop(key, None)) is not None:
            self._passing_bytes -= len(before.data)

    def forget_passing(self) -> None:
        """For who has just read in the log what came after it."""
        for key in [key for key, kept in self._buffer.items() if isinstance(kept, Passing)]:
            self._forget(key)

    def end(self) -> None:
        self.open = False
        self._woken.set()

    async def take(self, timeout_s: float) -> list[Logged | Passing]:
        """What has come since; empty after `timeout_s` without anything, or when the stream has to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout_s)
        taken = list(self._buffer.values()) if self.open else []
        self._buffer.clear()
        self._logged = self._bytes = self._passing_bytes = 0
        if self.open:
            self._woken.clear()
        return taken


class Hub:
    """Hands events from the threads that append them to the readers on the loop, in order."""

    def __init__(self) -> None:
        self.readers: set[Reader] = set()
        self.closed = False
        self.dropped = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def publish(self, events: Iterable[Logged | Passing]) -> None:
        """From any thread."""
        self._on_loop(self._deliver, list(events))

    def forget_readers(self) -> None:
        """Ends every stream, from any thread: they return and read the log. For when it is not known what
        became of a write."""
        self._on_loop(self._end_all)

    def close(self) -> None:
        """Ends every stream and takes no more: the server goes down. On the loop."""
        self.closed = True
        self._end_all()

    def enter(self, reader: Reader) -> None:
        if self.closed:
            reader.end()
        self.readers.add(reader)

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)

    def _on_loop(self, call: Callable[..., None], *args: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    def _deliver(self, events: list[Logged | Passing]) -> None:
        for reader in list(self.readers):
            for event in events:
                reader.offer(event)
            if not reader.open:
                self.dropped += 1
                self.readers.discard(reader)

    def _end_all(self) -> None:
        for reader in self.readers:
            reader.end()
        self.readers.clear()
