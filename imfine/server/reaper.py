"""Looks after the runs that nobody looks after: a thread that ticks a few times a second.

- a run whose lease ran out waits again, or is given up
- a run that is queued and unclaimed is published again: at first after 2 s, then ever more rarely
- a run's place in the queue is told when it changes

Knows no HTTP. A store that is away stops nothing: the next tick tries again.
"""

from __future__ import annotations

import threading
import time

import structlog

from imfine.errors import Unavailable
from imfine.server.leases import Clock
from imfine.server.lifecycle import Lifecycle, state_event
from imfine.server.publisher import Publisher
from imfine.store import runs

log = structlog.get_logger()

TICK_S = 0.25
STOOD_STILL_S = 1.0
UNCLAIMED_S = 2.0
RARELY_S = 30.0
HEAD = 20  # messages go first in, first out: only the head of a queue can have lost its message


class Reaper:
    def __init__(self, life: Lifecycle, publisher: Publisher, clock: Clock = time.monotonic) -> None:
        self._life = life
        self._publisher = publisher
        self._clock = clock
        self._last_tick = clock()
        self._handed: dict[str, tuple[float, float]] = {}  # run → (published when, patience in seconds)
        self._told: dict[str, int] = {}  # run → the position last told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reaper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=3)

    def _work(self) -> None:
        while not self._stop.wait(TICK_S):
            try:
                self.tick()
            except Unavailable as reason:
                log.warning("reaper.store_away", reason=str(reason))
            except Exception:
                log.exception("reaper.failed")

    def tick(self) -> None:
        now = self._clock()
        if now - self._last_tick > max(self._life.leases.lease_s / 2, STOOD_STILL_S):
            self._life.leases.renew_all()
        self._last_tick = now
        for run_id in self._life.leases.expired():
            self._life.lose(run_id)
        with self._life.store.read() as connection:
            waiting = runs.queued(connection)
        self._hand_out_again(waiting, now)
        self._tell_positions(waiting)

    def _hand_out_again(self, waiting: dict[str, list[str]], now: float) -> None:
        handed = {}
        for queue, ids in waiting.items():
            for place, run_id in enumerate(ids):
                since, patience = self._handed.get(run_id, (now, UNCLAIMED_S))
                if place < HEAD and now - since >= patience:
                    away = self._publisher.down is not None
                    since, patience = now, UNCLAIMED_S if away else min(2 * patience, RARELY_S)
                    self._publisher.put(run_id, queue)
                handed[run_id] = since, patience
        self._handed = handed

    def _tell_positions(self, waiting: dict[str, list[str]]) -> None:
        """Every place near the head, every tenth further back: a long queue moves often."""
        places = {run_id: place for ids in waiting.values() for place, run_id in enumerate(ids)}
        moved = [
            run_id
            for run_id, place in places.items()
            if self._told.get(run_id) != place and (place < HEAD or place % 10 == 0)
        ]
        known = {run_id for run_id in moved if run_id in self._told}
        self._told = {run_id: self._told.get(run_id, place) for run_id, place in places.items()}
        if not known:  # what is new has told its place itself
            return
        with self._life.move() as move:
            for run_id in sorted(known):
                run = runs.head(move.connection, run_id)
                if run is not None and run.state == "queued":
                    move.append(run, [state_event(run, runs.position(move.connection, run))])
                    self._told[run_id] = places[run_id]
