"""The Celery task: claims a run, lets core work, reports what comes. Knows how a run ends, whatever happens.

A run that is released or lost leaves quietly; everything else ends visibly: succeeded, cancelled, or failed
with its reason. This is the one place that catches everything.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from imfine.core.events import Result
from imfine.errors import ImfineError, Invalid, OutOfMemory, Unavailable
from imfine.jobs import names
from imfine.jobs.client import Claim, Client, Gone, Terms
from imfine.jobs.live import Left, Submission
from imfine.jobs.reporter import Reporter
from imfine.jobs.training import Died, Done, Paused, Training, as_json

log = logging.getLogger(__name__)

LOOK_S = 0.05  # how often a waiting task looks at its flags
LEAVE_S = 1.0
PAUSE_S = 6.5  # for a checkpoint: the worker itself is cut off after eight
PARTING_S = 0.5  # a message given back at once would be taken again until Celery has stopped taking
EX_SOFTWARE = 70
STALL_S = 300.0  # a decode loop that makes no step for so long hangs

Work = Submission | Training
Submit = Callable[[Claim], Work]


class Stopping(Exception):
    """The worker ends: the run goes back to the queue."""


class Stalled(Exception):
    """The work makes no progress: this worker has to end."""


class Runner:
    """Works runs off, several at once, each in a thread of Celery's pool."""

    def __init__(
        self,
        client: Client,
        kinds: Mapping[str, Submit],
        stopping: threading.Event,
        *,
        prepare: Callable[[str], None] = lambda run_id: None,
        stall_s: float = STALL_S,
    ) -> None:
        self.client = client
        self.kinds = kinds
        self.stopping = stopping
        self.prepare = prepare  # called before a run is claimed; it may take its time
        self.stall_s = stall_s
        self.terms = Terms()
        self._here: set[str] = set()
        self._lock = threading.Lock()

    def run(self, run_id: str, *, redelivered: bool, message: str | None = None) -> None:
        """Raises: Reject, where the message has to go back to its queue."""
        if not isinstance(run_id, str) or not names.RUN_ID.fullmatch(run_id):
            log.error("forgot a message that names no run: %r", run_id)
            return
        if self.stopping.is_set():
            time.sleep(PARTING_S)
            raise Reject("the worker ends", requeue=True)
        with self._lock:
            if run_id in self._here:  # the broker lost sight of us, we go on; the lease guards the run
                return
            self._here.add(run_id)
        try:
            self.prepare(run_id)
            claim = self.client.claim(run_id, redelivered=redelivered, message=message)
            if claim is not None:
                self._work(claim)
        except Unavailable as away:
            log.warning("run %s goes back: %s", run_id, away)
            raise Reject(str(away), requeue=True) from away
        finally:
            with self._lock:
                self._here.discard(run_id)

    def _work(self, claim: Claim) -> None:
        with Reporter(self.client, claim, self.terms) as report:
            try:
                result = self._follow(claim, report)
                if result is None:
                    report.finish("cancelled")
                else:
                    report.finish("succeeded", result=as_json(result))
            except Gone:
                log.info("run %s: attempt %d is not ours any more", claim.run, claim.attempt)
            except Paused:
                report.finish("cancelled")
            except Stopping:
                report.release("the worker ends")
            except Died as died:
                log.error("run %s: %s", claim.run, died)
                report.release("its process died", died.reason)
            except Stalled:
                log.critical("run %s made no progress for %.0f s; this worker ends", claim.run, self.stall_s)
                os._exit(EX_SOFTWARE)  # what hangs in torch cannot be ended otherwise: its runs count as lost
            except Unavailable:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of a task
                self._fail(report, error)

    def _fail(self, report: Reporter, error: BaseException) -> None:
        shown = as_imfine_error(error)
        if shown.code == "internal":
            log.exception("run %s failed", report.claim.run, exc_info=error)
        try:
            report.finish("failed", error=shown)
        except Gone:
            log.info("run %s: attempt %d is not ours any more", report.claim.run, report.claim.attempt)

    def _follow(self, claim: Claim, report: Reporter) -> Result | Done | None:
        """The run's result; None: it was cancelled."""
        if claim.kind not in self.kinds:
            raise Invalid(
                f"this worker cannot do runs of kind {claim.kind!r}",
                remedy=f"it can do {', '.join(sorted(self.kinds))}; update the worker",
                field="kind",
                value=claim.kind,
            )
        submission = self.kinds[claim.kind](claim)
        try:
            while True:
                event = submission.get(min(report.due_in(), LOOK_S))
                while event is not None:
                    if isinstance(event, Result | Done):
                        report.flush()  # pictures are on their way yet, and a cancel keeps them from it
                        return None if report.cancelled.is_set() else event
                    report.add(event)
                    event = submission.get(0)
                report.flush_if_due()
                if report.gone.is_set():
                    raise Gone
                if self.stopping.is_set():
                    self._pause(submission, report)
                    raise Stopping
                if report.saving.is_set() and isinstance(submission, Training):
                    submission.save()
                if report.pausing.is_set() and isinstance(submission, Training):
                    submission.pause()
                if report.cancelled.is_set():
                    self._leave(submission, report)
                    if isinstance(submission, Training):
                        submission.discard()
                    return None
                if time.monotonic() - submission.progress_at > self.stall_s:
                    raise Stalled
        finally:
            submission.cancel()

    @staticmethod
    def _leave(submission: Work, report: Reporter) -> None:
        """Takes along what the run still has to say; a loop that is busy loading is not waited for."""
        submission.cancel()
        _take_along(submission, report, LEAVE_S)

    @staticmethod
    def _pause(submission: Work, report: Reporter) -> None:
        """Training leaves a checkpoint, and what it tells until then is not told again."""
        if isinstance(submission, Training):
            submission.pause()
            _take_along(submission, report, PAUSE_S)
            report.flush()


def _take_along(submission: Work, report: Reporter, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            event = submission.get(LOOK_S)
        except (Left, Paused, Died, ImfineError):
            return
        if event is not None and not isinstance(event, Result | Done):
            report.add(event)


def as_imfine_error(error: BaseException) -> ImfineError:
    if isinstance(error, ImfineError):
        return error
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OutOfMemory(
            "the memory ran out while the model worked",
            remedy="ask for fewer lanes, tokens or pictures, choose a smaller model, or end other programs",
            value=text[:200],
        )
    return ImfineError(
        f"{type(error).__name__}: {text}"[:1000],
        remedy="this is a fault of I'm Fine; the worker's log has more",
    )


def register(app: Celery, runner: Runner) -> None:
    @app.task(name=names.TASK, bind=True)  # type: ignore[untyped-decorator]
    def run(self: Any, run_id: str) -> None:
        redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
        runner.run(run_id, redelivered=redelivered, message=self.request.id)
