"""Hands run ids to the queue on a thread of its own: no request waits for a broker that is away.

Knows no run and no store. `failures` and `down` tell what could not be published; the reaper tries again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()
Publish = Callable[[str, str], None]


class Publisher:
    def __init__(self, publish: Publish) -> None:
        self.failures = 0
        self.down: str | None = None  # why the last try failed; None: it worked
        self._publish = publish
        self._waiting: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._pending: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=3)

    def put(self, run_id: str, to: str) -> None:
        if run_id not in self._pending:
            self._pending.add(run_id)
            self._waiting.put((run_id, to))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._pending.discard(item[0])
            try:
                self._publish(*item)
            except Exception as reason:  # noqa: BLE001  the thread must outlive whatever a broker does
                self.failures += 1
                if self.down is None:
                    log.warning("broker.away", reason=str(reason))
                self.down = str(reason)
            else:
                if self.down is not None:
                    log.info("broker.back")
                self.down = None
