"""Who works on what, by this process's monotonic clock. In memory only: knows no store and no HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imfine.jobs.names import BATCH

Clock = Callable[[], float]
HELLO_S = 5.0
FORGET_S = 3600.0


@dataclass
class Leases:
    """run → until when its worker may be silent."""

    lease_s: float
    clock: Clock = time.monotonic
    _until: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self, run_id: str) -> None:
        with self._lock:
            self._until[run_id] = self.clock() + self.lease_s

    def end(self, run_id: str) -> None:
        with self._lock:
            self._until.pop(run_id, None)

    def live(self, run_id: str) -> bool:
        with self._lock:
            return self._until.get(run_id, 0.0) > self.clock()

    def expired(self) -> list[str]:
        with self._lock:
            now = self.clock()
            return [run_id for run_id, until in self._until.items() if until <= now]

    def renew_all(self) -> None:
        """After the server itself stood still it judges nobody: heartbeats may be waiting at the door."""
        with self._lock:
            until = self.clock() + self.lease_s
            self._until = {run_id: max(until, old) for run_id, old in self._until.items()}


@dataclass
class Present:
    """A worker, as its last hello told."""

    worker: str
    queues: Sequence[str]
    pid: int
    host: str
    device: str
    memory_total: int
    warm: Sequence[str]
    version: str
    methods: Sequence[str] = ()
    seen: float = 0.0


@dataclass
class Workers:
    """Who has said hello. One that is silent for three hellos is taken for gone, after an hour forgotten."""

    clock: Clock = time.monotonic
    _present: dict[str, Present] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hello(self, worker: Present) -> None:
        with self._lock:
            worker.seen = self.clock()
            self._present[worker.worker] = worker
            old = [name for name, p in self._present.items() if p.seen < worker.seen - FORGET_S]
            for name in old:
                del self._present[name]

    def seen(self, name: str) -> None:
        with self._lock:
            if (worker := self._present.get(name)) is not None:
                worker.seen = self.clock()

    def gone(self, name: str) -> None:
        with self._lock:
            self._present.pop(name, None)

    def all(self) -> list[tuple[Present, float]]:
        """(worker, seconds since it last spoke), the latest first."""
        with self._lock:
            now = self.clock()
            ages = [(p, now - p.seen) for p in self._present.values()]
        return sorted(ages, key=lambda pair: pair[1])

    def trainers(self) -> list[Present]:
        """Those alive that take training runs."""
        return [p for p, age in self.all() if alive(age) and BATCH in p.queues]

    def any_alive(self) -> bool:
        return any(alive(age) for _, age in self.all())


def alive(age_s: float) -> bool:
    return age_s < 3 * HELLO_S
