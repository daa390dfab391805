"""The live streams: what is appended to the log wakes whoever follows it. Knows no database and no HTTP.

Every reader has a bounded buffer. One that falls behind is dropped; it returns with the last id it saw and
reads the rest from the log.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable

from imfine.store.events import Logged, Wants

BUFFER_EVENTS = 2000
BUFFER_BYTES = 4 << 20


class Reader:
    """One stream's buffer. Lives on the event loop."""

    def __init__(self, wants: Wants) -> None:
        self.wants = wants
        self.open = True
        self.on_drop: Callable[[], None] = lambda: None  # set by who may be stuck in a send
        self._buffer: deque[Logged] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()

    def offer(self, event: Logged) -> None:
        if not self.open or not self.wants(event):
            return
        self._buffer.append(event)
        self._bytes += len(event.data)
        self._woken.set()
        if len(self._buffer) > BUFFER_EVENTS or self._bytes > BUFFER_BYTES:
            self.end()
            self.on_drop()

    def end(self) -> None:
        self.open = False
        self._woken.set()

    async def take(self, timeout_s: float) -> list[Logged]:
        """What has come since; empty after `timeout_s` without anything, or when the stream has to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout_s)
        taken = list(self._buffer) if self.open else []
        self._buffer.clear()
        self._bytes = 0
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

    def publish(self, events: Iterable[Logged]) -> None:
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

    def _deliver(self, events: list[Logged]) -> None:
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
