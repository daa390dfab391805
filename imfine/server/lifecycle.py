"""The life of a run: submitted, claimed, reported, finished, released, cancelled, lost.

Every move is one transaction: the run's row and the events that tell of it. Then the streams are woken and,
where the run waits, its id is published. Knows nothing of HTTP or of what a run computes.

States: queued → running → succeeded | failed | cancelled. An attempt is one worker's try; reports of an
attempt that is no longer the run's are refused, so a worker that was thought dead and wakes can do no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from imfine.errors import Conflict, Invalid, NotFound, Unavailable, WorkerLost
from imfine.server.hub import Hub, Passing
from imfine.server.leases import Leases
from imfine.server.publisher import Publisher
from imfine.store import artifacts, ids, runs
from imfine.store.engine import Store
from imfine.store.events import Log, Logged, to_json
from imfine.store.runs import Head, Whole

Event = Mapping[str, Any]
RESULTS = ("result", "train_result", "probe_result", "slider_result")
PASSING = "preview"  # told to whoever listens, kept nowhere


@dataclass(frozen=True)
class Asked:
    """A run that has been checked and may be accepted."""

    kind: str
    queue: str
    model: str
    page: str | None
    prompt: str
    recipe: Mapping[str, Any]
    recipe_hash: str
    request: Mapping[str, Any]
    name: str | None = None  # None: one is made up
    body_hash: str = ""  # of what the client sent, for its Idempotency-Key
    replaces: str | None = None  # a run that is cancelled in the same moment, if it is there
    earlier: Iterable[Event] = ()  # what its log begins with: of the run that it goes on with


@dataclass(frozen=True)
class Claimed:
    head: Head
    request: str


class Move:
    """One transaction on runs and their log."""

    def __init__(self, connection: Connection, log: Log) -> None:
        self.connection = connection
        self.events: list[Logged | Passing] = []
        self.publish: list[Head] = []
        self.forget: list[Head] = []  # runs whose checkpoints nobody wants any more
        self._log = log

    def append(self, run: Head, events: Sequence[Event]) -> None:
        kept = [event for event in events if event["type"] != PASSING]
        logged = iter(self._log.append(self.connection, run.id, run.page, run.attempt, kept))
        self.events += [
            _passing(run, event) if event["type"] == PASSING else next(logged) for event in events
        ]

    def change(self, run: Head, **values: Any) -> Head:
        runs.change(self.connection, run.id, **values)
        return replace(run, **{name: value for name, value in values.items() if name != "result"})

    def state(self, run: Head, **values: Any) -> Head:
        """Changes the run and tells its new state."""
        run = self.change(run, **values)
        self.append(run, [state_event(run, runs.position(self.connection, run))])
        return run


def _passing(run: Head, event: Event) -> Passing:
    data = to_json({"run": run.id, "attempt": run.attempt} | dict(event))
    key = f"{run.id} {event.get('lane')} {event.get('index')}"
    return Passing(key, run.id, run.page, event["type"], data)


def state_event(run: Head, position: int | None) -> dict[str, Any]:
    told = runs.to_summary(run, position)
    names = ("state", "kind", "name", "model", "page", "position", "worker", "error")
    return {"type": "state"} | {name: told[name] for name in names}


class Lifecycle:
    def __init__(
        self,
        store: Store,
        hub: Hub,
        leases: Leases,
        publisher: Publisher,
        *,
        max_attempts: int,
        forget: Callable[[Head], None] = lambda run: None,
    ) -> None:
        """`forget` deletes what is left of a run that nobody wants any more."""
        self.store = store
        self.leases = leases
        self._hub = hub
        self._publisher = publisher
        self._max_attempts = max_attempts
        self._forget = forget
        self._claimed_with: dict[str, str | None] = {}  # run → message
        with store.read() as connection:
            self._log = Log(connection)
            self.last_event_id = self._log.last_id  # the last one committed
            for run in runs.running(connection):  # nobody is judged before one lease has passed
                leases.renew(run.id)

    @contextmanager
    def move(self) -> Iterator[Move]:
        """A transaction whose events reach the streams in the order of the commits."""
        with self.store.writing:
            try:
                with self.store.write() as connection:
                    move = Move(connection, self._log)
                    yield move
            except Unavailable:
                self._hub.forget_readers()  # it may have been committed all the same: let them read the log
                raise
            self.last_event_id = self._log.last_id
            self._hub.publish(move.events)
        for run in move.publish:
            self._publisher.put(run.id, run.queue)
        for run in move.forget:
            self._forget(run)

    # ------------------------------------------------------------ who asks

    def submit(self, asked: Asked, key: str | None = None) -> tuple[Whole, int | None]:
        """The new run and its position; or the run that this key made before.

        Raises: Conflict where the key was used with another body, or a run that goes on makes a model or a
            delta of this name.
        """
        now = now_ms()
        with self.move() as move:
            kept = runs.key(move.connection, key, now) if key is not None else None
            if kept is not None:
                if kept[0] != asked.body_hash:
                    raise Conflict(
                        f"this Idempotency-Key made run {kept[1]} from another body",
                        remedy="use a new key for a new request",
                        field="Idempotency-Key",
                        value=key,
                    )
                found = runs.whole(move.connection, kept[1])
                assert found is not None, "a key outlived its run"
                return found, runs.position(move.connection, found.head)
            if asked.replaces and (replaced := runs.head(move.connection, asked.replaces)):
                self._cancel(move, replaced)
            if asked.kind in runs.MAKING and asked.name is not None:
                _check_free(move, asked.name)
            run_id = ids.new_id()
            run = Head(
                id=run_id,
                kind=asked.kind,
                state="queued",
                queue=asked.queue,
                name=asked.name or ids.name_of(run_id),
                model=asked.model,
                page=asked.page,
                attempt=0,
                lost=0,
                seq=0,
                cancel=False,
                save=False,
                pause=False,
                worker=None,
                created_ms=now,
                started_ms=None,
                finished_ms=None,
                recipe_hash=asked.recipe_hash,
                excerpt=asked.prompt[: runs.EXCERPT],
                phase=None,
                error=None,
                recipe=to_json(asked.recipe),
            )
            request = to_json(asked.request)
            runs.put(move.connection, run, request, asked.prompt)
            if key is not None:
                runs.keep_key(move.connection, key, asked.body_hash, run_id, now)
            position = runs.position(move.connection, run)
            move.append(run, [state_event(run, position)])
            for event in asked.earlier:
                move.append(run, [event])
            move.publish.append(run)
        return Whole(run, request, None), position

    def cancel(self, run_id: str) -> None:
        """Raises: NotFound. A run that ended stays as it ended, but cannot be gone on with any more."""
        with self.move() as move:
            self._cancel(move, self._known(move, run_id))

    def save(self, run_id: str) -> None:
        """A training run shall stop and keep what it has learned. One that has ended stays as it ended.

        Raises: NotFound; Conflict for a run of another kind, or one that has not begun.
        """
        with self.move() as move:
            run = self._learning(move, run_id)
            if not run.terminal:
                move.change(run, save=True)  # its worker hears of it at its next heartbeat

    def pause(self, run_id: str) -> None:
        """A training run shall leave a checkpoint and end as cancelled; another may go on from it. One that
        has ended stays as it ended. Raises: as `save`."""
        with self.move() as move:
            run = self._learning(move, run_id)
            if run.terminal:
                return
            run = move.change(run, pause=True)
            if run.state == "queued" or not self.leases.live(run_id):
                self._end(move, run, "cancelled")

    def _learning(self, move: Move, run_id: str) -> Head:
        run = self._known(move, run_id)
        if run.kind != "train" or run.attempt == 0:
            why = (
                "has not begun"
                if run.kind == "train"
                else f"is of kind {run.kind}, which keeps no checkpoint"
            )
            raise Conflict(
                f"run {run_id} {why}: there is nothing to save",
                remedy="cancel it instead",
                field="id",
                value=run_id,
            )
        return run

    def _cancel(self, move: Move, run: Head) -> None:
        if run.terminal:
            if run.state != "succeeded":
                move.forget.append(run)
            return
        if run.state == "running" and self.leases.live(run.id):
            move.change(run, cancel=True)  # its worker hears of it at its next report or heartbeat
        else:
            self._end(move, run, "cancelled")

    # ------------------------------------------------------------ who works

    def claim(self, run_id: str, worker: str, *, redelivered: bool, message: str | None = None) -> Claimed:
        """Gives the run to this worker, as the next attempt.

        A message that is delivered again means that its worker is gone, but only the worker that claimed with
        this very message: a run may have been published twice.
        Raises: Conflict where a living worker has it, where it has ended, or where it is given up now.
        """
        with self.move() as move:
            found = runs.whole(move.connection, run_id)
            takes_over = redelivered and self._claimed_with.get(run_id, message) == message
            refused = self._refuse_claim(move, found, run_id, takes_over=takes_over)
            if refused is None:
                assert found is not None
                lost = found.head.lost + (found.head.state == "running")
                run = move.change(
                    found.head,
                    state="running",
                    attempt=found.head.attempt + 1,
                    lost=lost,
                    seq=0,
                    worker=worker,
                    started_ms=found.head.started_ms or now_ms(),
                    phase=None,
                    result=None,
                )
                self.leases.renew(run_id)
                self._claimed_with[run_id] = message
                again = run.attempt > 1 and run.kind != "train"  # whose worker says from which step
                restart = [{"type": "restart", "from": 0}] if again else []
                move.append(run, [*restart, state_event(run, None)])
        if refused is not None:
            raise refused
        return Claimed(run, found.request)  # type: ignore[union-attr]

    def _refuse_claim(
        self, move: Move, found: Whole | None, run_id: str, *, takes_over: bool
    ) -> Conflict | None:
        if found is None:
            return Conflict(f"there is no run {run_id}", remedy="forget the message")
        run = found.head
        if run.terminal:
            return Conflict(f"run {run_id} has {run.state} already", remedy="forget the message")
        if run.state == "running":
            if self.leases.live(run_id) and not takes_over:
                return Conflict(f"worker {run.worker} has run {run_id}", remedy="forget the message")
            if run.cancel or run.pause:
                self._end(move, run, "cancelled")
                return Conflict(f"run {run_id} is cancelled", remedy="forget the message")
            if run.lost + 1 >= self._max_attempts:
                self._give_up(move, run)
                return Conflict(f"run {run_id} is given up", remedy="forget the message")
        return None

    def report(self, run_id: str, attempt: int, seq: int, events: Sequence[Event]) -> bool:
        """Appends a worker's events, once. Returns whether the run is to be cancelled.

        Raises: Conflict where the attempt is not the run's any more.
        """
        with self.move() as move:
            run = self._held(move, run_id, attempt)
            self._absorb(move, run, seq, events)
        return run.cancel

    def heartbeat(self, run_id: str, attempt: int) -> Head:
        """Renews the lease; the run says whether to cancel, save or pause. Raises: Conflict as `report`."""
        with self.store.read() as connection:
            run = runs.head(connection, run_id)
        self._fence(run, run_id, attempt)
        assert run is not None
        self.leases.renew(run_id)
        return run

    def fence(self, run_id: str, attempt: int) -> None:
        """Raises: Conflict as `report`."""
        with self.store.read() as connection:
            self._fence(runs.head(connection, run_id), run_id, attempt)

    def keep(
        self, run_id: str, attempt: int, sha256: str, size: int, put_in_place: Callable[[], None]
    ) -> None:
        """Notes a file that the run has made; `put_in_place` is the last thing that may fail.

        Raises: Conflict as `report`, and what `put_in_place` raises: then nothing is noted.
        """
        with self.move() as move:
            run = self._held(move, run_id, attempt)
            artifacts.put(move.connection, run.id, sha256, size, now_ms())
            put_in_place()

    def finish(
        self,
        run_id: str,
        attempt: int,
        seq: int,
        state: str,
        *,
        events: Sequence[Event],
        result: Mapping[str, Any] | None,
        error: Mapping[str, Any] | None,
    ) -> None:
        """Ends the run. A repeat is acknowledged. Raises: Conflict as `report`."""
        with self.move() as move:
            known = self._known(move, run_id)
            if known.terminal and known.attempt == attempt:
                return
            run = self._held(move, run_id, attempt)
            if result is not None and not any(event["type"] in RESULTS for event in events):
                events = [*events, {"type": "result", **result}]
            run = self._absorb(move, run, seq, events)
            self._end(move, run, state, error)

    def release(self, run_id: str, attempt: int, error: Mapping[str, Any] | None = None) -> None:
        """A worker gives its run back. Not counted against it where the worker stops; with an `error` the
        work died, and after so many attempts the run fails with it. Raises: Conflict as `report`."""
        with self.move() as move:
            run = self._held(move, run_id, attempt)
            if error is not None and run.lost + 1 >= self._max_attempts and not run.cancel:
                self._end(move, run, "failed", error)
            else:
                self._back_to_queue(move, move.change(run, lost=run.lost + (error is not None)))

    # ------------------------------------------------------------ who is gone

    def lose(self, run_id: str) -> None:
        """The lease has run out: the run waits again, or is given up."""
        with self.move() as move:
            run = runs.head(move.connection, run_id)
            if run is None or run.state != "running":
                self.leases.end(run_id)
            elif not self.leases.live(run_id):
                if run.lost + 1 >= self._max_attempts:
                    self._give_up(move, run)
                else:
                    self._back_to_queue(move, move.change(run, lost=run.lost + 1))

    def worker_gone(self, worker: str) -> None:
        """Its process has ended: its runs need not wait for their leases to run out."""
        with self.store.read() as connection:
            held = [run.id for run in runs.running(connection) if run.worker == worker]
        for run_id in held:
            self.leases.end(run_id)
            self.lose(run_id)

    def _give_up(self, move: Move, run: Head) -> None:
        times = run.lost + 1
        reason = WorkerLost(
            f"run {run.id} lost its worker {times} times, last {run.worker}",
            remedy="see its log; if memory ran out, use a smaller model or fewer lanes and run again",
            worker=run.worker,
            times=times,
        )
        self._end(move, run, "failed", reason.to_json())

    def _back_to_queue(self, move: Move, run: Head) -> None:
        if run.cancel or run.pause:
            self._end(move, run, "cancelled")
            return
        self._let_go(run.id)
        move.publish.append(move.state(run, state="queued", worker=None, phase=None))

    def _end(self, move: Move, run: Head, state: str, error: Mapping[str, Any] | None = None) -> None:
        self._let_go(run.id)
        if state == "cancelled" and not run.pause:
            move.forget.append(run)
        text = to_json(error) if error is not None else None
        move.state(run, state=state, error=text, phase=None, finished_ms=now_ms())

    def _let_go(self, run_id: str) -> None:
        self.leases.end(run_id)
        self._claimed_with.pop(run_id, None)

    # ------------------------------------------------------------ checks

    def _known(self, move: Move, run_id: str) -> Head:
        run = runs.head(move.connection, run_id)
        if run is None:
            raise no_run(run_id)
        return run

    def _held(self, move: Move, run_id: str, attempt: int) -> Head:
        run = runs.head(move.connection, run_id)
        self._fence(run, run_id, attempt)
        assert run is not None
        self.leases.renew(run_id)
        return run

    def _fence(self, run: Head | None, run_id: str, attempt: int) -> None:
        if run is None or run.state != "running" or run.attempt != attempt:
            now = "there is no such run" if run is None else f"it is {run.state}, attempt {run.attempt}"
            raise Conflict(
                f"attempt {attempt} of run {run_id} is over: {now}", remedy="drop this attempt", value=attempt
            )

    def _absorb(self, move: Move, run: Head, seq: int, events: Sequence[Event]) -> Head:
        """Appends what has not been taken yet. Reports of an attempt are counted from 1."""
        if seq <= run.seq:
            return run
        if seq > run.seq + 1:
            raise Invalid(
                f"report {seq} of run {run.id} came after report {run.seq}",
                remedy=f"send report {run.seq + 1} first",
                field="seq",
                value=seq,
            )
        move.append(run, events)
        changes: dict[str, Any] = {"seq": seq}
        for event in events:
            if event["type"] == "phase":
                changes["phase"] = to_json({name: event[name] for name in ("phase", "done", "total", "unit")})
            elif event["type"] in RESULTS:
                changes["result"] = to_json(event)
        return move.change(run, **changes)


def _check_free(move: Move, name: str) -> None:
    """Raises: Conflict."""
    if (run := runs.named(move.connection, name)) is not None:
        raise Conflict(
            f"run {run} makes a model or a delta called {name!r} already",
            remedy="choose another name",
            field="name",
            value=name,
        )


def in_use(run: str, does: str, id: str) -> Conflict:
    """What `id` names cannot be deleted while `run` `does` something with it."""
    return Conflict(
        f"run {run} {does}", remedy="wait until it has ended, or cancel it", field="id", value=id, run=run
    )


def no_run(run_id: str, field: str = "id") -> NotFound:
    return NotFound(
        f"there is no run {run_id}", remedy="list the runs with GET /api/runs", field=field, value=run_id
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000
