"""One decode loop per warm model, which runs join and leave as rows of its batch. Knows no server, no queue.

The loop's thread alone touches the model: it loads it, steps its batch, and hands each run its events. Runs
that find no free rows wait in the order they came in, and are told how many are ahead. When memory is short,
the model that was idle longest goes.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from imfine.core.events import Event, Phase, Result
from imfine.core.lanes import Batch
from imfine.errors import ImfineError

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where a loop's model comes from. Both are called by the loop's thread, which may take its time."""

    @property
    def name(self) -> str: ...
    def memory(self) -> int:
        """Bytes it will need."""
        ...

    def open(self) -> Iterator[Phase | Batch]:
        """Loads it: progress, and last its batch."""
        ...


class Left(Exception):
    """The run is out of its loop, as it was asked to be; all its events have been handed over."""


class Submission:
    """A run's place in a loop: what it asked, and what comes of it."""

    def __init__(self, run: str, request: Any, loop: ModelLoop) -> None:
        self.run = run
        self.request = request
        self.loop = loop
        self.cancelled = threading.Event()
        self.ahead: int | None = None  # runs before this one, as last told
        self._out: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()

    def put(self, what: Event | BaseException) -> None:
        self._out.put(what)

    def get(self, timeout: float) -> Event | None:
        """The next event; None: nothing came in time. Raises whatever ended the run."""
        try:
            what = self._out.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None
        if isinstance(what, BaseException):
            raise what
        return what

    @property
    def progress_at(self) -> float:
        return self.loop.progress_at

    def cancel(self) -> None:
        """The run leaves at the next token, or the next step of its picture."""
        self.cancelled.set()
        self.loop.wake(self.run)


class ModelLoop(threading.Thread):
    """Owns one model. States: loading, then at work or idle, then closed (`over`)."""

    def __init__(
        self,
        source: Source,
        room: Callable[[ModelLoop], bool],
        grown: Callable[[ModelLoop], None],
    ) -> None:
        super().__init__(name=f"loop-{source.name}", daemon=True)
        self.source = source
        self.room = room  # is there memory for it now?
        self.grown = grown  # it has taken more since
        self.memory = 0  # bytes, once known
        self.admitted = False  # there is memory for it, and it may have taken it
        self.ready = False
        self.over = False
        self.progress_at = time.monotonic()
        self.used_at = time.monotonic()
        self._active: dict[str, Submission] = {}
        self._waiting: deque[Submission] = deque()
        self._changed = threading.Condition()
        self._urgent = False  # somebody came or left since the step began: it is broken off, not waited for
        self.closing = False

    # -- called by other threads

    def submit(self, run: str, request: Any) -> Submission | None:
        """None: the loop is over, another must be opened."""
        with self._changed:
            if self.closing:
                return None
            if self.idle:
                self.progress_at = time.monotonic()
            submission = Submission(run, request, self)
            self._waiting.append(submission)
            self.used_at = time.monotonic()
            self._urgent = True
            self._changed.notify()
            return submission

    def wake(self, run: str) -> None:
        """A run wants to leave."""
        with self._changed:
            self._urgent = self._urgent or run in self._active
            self._changed.notify()

    @property
    def idle(self) -> bool:
        return not self._active and not self._waiting

    def close_if_idle(self) -> bool:
        with self._changed:
            if not self.idle or not self.ready:
                return False
            self.closing = True
            self._changed.notify()
            return True

    # -- the loop's own thread

    def run(self) -> None:
        try:
            self._serve()
        except BaseException as error:  # noqa: BLE001 - the edge of the loop: whoever waits must hear of it
            self._fail(error.with_traceback(None))  # frames would keep the model in memory
        gc.collect()
        self.over = True

    def _serve(self) -> None:
        batch = self._load()
        while batch is not None and self._next(batch):
            self._step(batch)

    def _load(self) -> Batch | None:
        """The opened model's batch; None: nobody wants it any more."""
        self.memory = self.source.memory()
        while not self.room(self):
            with self._changed:
                self._drop_cancelled()
                if not self._waiting:
                    self.closing = True
                    return None
                self._tell_waiting()
                self.progress_at = time.monotonic()
                self._changed.wait(0.2)
        for step in self.source.open():
            self.progress_at = time.monotonic()
            if not isinstance(step, Phase):
                self.ready = True
                return step
            with self._changed:
                for submission in self._waiting:
                    submission.put(step)
        raise AssertionError("opening a model yields its batch last")

    def _next(self, batch: Batch) -> bool:
        """Lets runs leave and join; sleeps while there are none. False: the loop shall end."""
        while True:
            with self._changed:
                self._urgent = False
                self._leave_cancelled(batch)
                joining = self._next_to_join(batch)
                if joining is None:
                    self._tell_waiting()
                    if self._active:
                        return True
                    if self.closing:
                        return False
                    self._changed.wait()
                    self.progress_at = time.monotonic()
                    continue
                self._active[joining.run] = joining
            try:
                self._read_deltas(batch, joining)
                batch.join(joining.run, joining.request)
            except ImfineError as error:  # one run's bad request is not its neighbours' end
                del self._active[joining.run]
                joining.put(error.with_traceback(None))

    def _read_deltas(self, batch: Batch, joining: Submission) -> None:
        """Those of the run that are not in memory yet. Raises: what Batch.prepare raises."""
        before = batch.delta_bytes
        for phase in batch.prepare(joining.request):
            self.progress_at = time.monotonic()
            joining.put(phase)
        if (more := batch.delta_bytes - before) != 0:
            self.memory += more
            self.grown(self)

    def _next_to_join(self, batch: Batch) -> Submission | None:
        if self._waiting and (not batch.rows or len(self._waiting[0].request.lanes) <= batch.free_rows):
            return self._waiting.popleft()
        return None

    def _step(self, batch: Batch) -> None:
        for run, event in batch.step(self._breaks_off):
            submission = self._active.get(run)
            if submission is None:
                continue
            submission.put(event)
            if isinstance(event, Result | ImfineError):
                del self._active[run]
        self.progress_at = self.used_at = time.monotonic()

    def _breaks_off(self, run: str | None) -> bool:
        """Asked by the batch within a forward: of one run's prefill, or of what all wait for (None)."""
        if run is None:
            return self._urgent
        submission = self._active.get(run)
        return submission is not None and submission.cancelled.is_set()

    def _leave_cancelled(self, batch: Batch) -> None:
        for run, submission in list(self._active.items()):
            if submission.cancelled.is_set():
                for event in batch.leave(run):
                    submission.put(event)
                submission.put(Left())
                del self._active[run]
        self._drop_cancelled()

    def _drop_cancelled(self) -> None:
        for submission in [each for each in self._waiting if each.cancelled.is_set()]:
            self._waiting.remove(submission)
            submission.put(Left())

    def _tell_waiting(self) -> None:
        for ahead, submission in enumerate(self._waiting, start=len(self._active)):
            if submission.ahead != ahead:
                submission.ahead = ahead
                submission.put(Phase("waiting", done=ahead, unit="runs"))

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self.closing = True
            if self.idle:
                log.warning("%s: %s", self.source.name, error)
            for submission in [*self._active.values(), *self._waiting]:
                submission.put(error)
            self._active.clear()
            self._waiting.clear()


class Live:
    """The loops of this process, by model; within `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._loops: dict[Source, ModelLoop] = {}
        self._lock = threading.Lock()

    def submit(self, source: Source, run: str, request: Any) -> Submission:
        """Hands a run to its model's loop, which is opened if it is not there. Equal sources share a loop."""
        with self._lock:
            loop = self._loops.get(source)
            submission = loop.submit(run, request) if loop is not None else None
            if submission is None:
                loop = self._loops[source] = ModelLoop(source, self._make_room, self._has_grown)
                submission = loop.submit(run, request)
                assert submission is not None
                loop.start()
            return submission

    @property
    def warm(self) -> list[str]:
        with self._lock:
            return sorted({loop.source.name for loop in self._loops.values() if loop.ready and not loop.over})

    def _make_room(self, wanted: ModelLoop) -> bool:
        """Lets idle models go, the longest idle first, until `wanted` fits. A model alone is always let in:
        whether it fits at all was decided when the run was accepted."""
        with self._lock:
            self._loops = {source: loop for source, loop in self._loops.items() if not loop.over}
            others = [each for each in self._loops.values() if each is not wanted and each.admitted]
            excess = sum(each.memory for each in others) + wanted.memory - self.budget
            wanted.admitted = excess <= 0 or not others
            if not wanted.admitted:  # the next look, when one is gone
                self._close_one(others, wanted)
            return wanted.admitted

    def _has_grown(self, loop: ModelLoop) -> None:
        """By a delta that a run needs: idle models go for it, and it waits for none."""
        with self._lock:
            others = [
                each for each in self._loops.values() if each is not loop and each.admitted and not each.over
            ]
            while others and sum(each.memory for each in others) + loop.memory > self.budget:
                closed = self._close_one(others, loop)
                if closed is None:
                    return
                others.remove(closed)

    @staticmethod
    def _close_one(others: Sequence[ModelLoop], wanted: ModelLoop) -> ModelLoop | None:
        """The one that is idle longest."""
        for loop in sorted(others, key=lambda each: each.used_at):
            if loop.close_if_idle():
                log.info("letting %s go for %s", loop.source.name, wanted.source.name)
                return loop
        return None
