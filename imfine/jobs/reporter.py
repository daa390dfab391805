"""One attempt's reports to the server: events gathered for some tens of milliseconds, and a heartbeat.

Knows neither models nor Celery. The first event goes at once; the tokens of a lane that wait together are one
event. A picture's file is uploaded before the post that tells of it. A preview goes at once; of those that
wait while a post is under way only the latest of each picture is left, and none whose picture is there. The
heartbeat has its own thread, so a lease holds while a model loads.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from imfine.core.events import Event, Phase, Picture, Preview, Tokens
from imfine.errors import ImfineError, Unavailable
from imfine.jobs.client import Claim, Client, Gone, Terms
from imfine.jobs.training import Drawn, as_json

log = logging.getLogger(__name__)

EVENTS_A_POST = 512  # what piled up while the server was away goes in parts


class Reporter:
    """Used by one thread, within `with`; only the heartbeat is another's."""

    def __init__(self, client: Client, claim: Claim, terms: Terms) -> None:
        self.client = client
        self.claim = claim
        self.terms = terms
        self.seq = 0
        self.gathered: list[Event] = []
        self.lane_at: dict[int, int] = {}  # lane -> index of its tokens in `gathered`
        self.previews: dict[tuple[int, int], Preview] = {}  # the latest of each lane and index
        self.uploaded: set[str] = set()  # lanes may share a picture
        self.flushed_at = float("-inf")
        self.cancelled = threading.Event()
        self.saving = threading.Event()
        self.pausing = threading.Event()
        self.gone = threading.Event()
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"heart-{claim.run}", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def add(self, event: Event) -> None:
        """Gathers; `flush_if_due` sends. What came at once goes in one post: the original's kept answer and
        the tuned model's first token, say."""
        if isinstance(event, Preview):
            self.previews[event.lane, event.index] = event
            return
        if isinstance(event, Picture):
            self.previews.pop((event.lane, event.index), None)
        before = self.gathered[-1] if self.gathered else None
        if isinstance(event, Phase) and isinstance(before, Phase) and before.phase == event.phase:
            self.gathered[-1] = event  # further on: nobody needs the step between
            return
        at = self.lane_at.get(event.lane) if isinstance(event, Tokens) else None
        if isinstance(event, Tokens) and at is not None:
            self.gathered[at] = _merge(self.gathered[at], event)
        else:
            self.gathered.append(event)
            if isinstance(event, Tokens):
                self.lane_at[event.lane] = len(self.gathered) - 1

    def due_in(self) -> float:
        """Seconds until what is gathered should go; infinite when nothing is."""
        if self.previews:
            return 0
        if not self.gathered:
            return float("inf")
        return self.flushed_at + self.terms.flush_ms / 1000 - time.monotonic()

    def flush_if_due(self) -> None:
        if self.due_in() <= 0:
            self.flush()

    def flush(self) -> None:
        """A picture whose upload a cancel forestalls is not told of. Raises: Gone, where the run is no longer
        ours."""
        while self.gathered or self.previews:
            part, self.gathered = self.gathered[:EVENTS_A_POST], self.gathered[EVENTS_A_POST:]
            told = [event for event in part if not isinstance(event, (Picture, Drawn)) or self._upload(event)]
            if not self.gathered:
                told += self.previews.values()
                self.previews = {}
            self.lane_at = {}
            if told:
                self._post(told)
        self.flushed_at = time.monotonic()

    def _upload(self, picture: Picture | Drawn) -> bool:
        """Whether the server has the file."""
        name = picture.sha256
        wanted = bool(picture.png) and name not in self.uploaded and not self.cancelled.is_set()
        if wanted and self.client.upload(self.claim, name, picture.png, self.cancelled):
            self.uploaded.add(name)
        return name in self.uploaded

    def _post(self, events: list[Event]) -> None:
        self.seq += 1
        if self.client.events(self.claim, self.seq, [as_json(event) for event in events]):
            self.cancelled.set()

    def finish(
        self, state: str, *, result: dict[str, Any] | None = None, error: ImfineError | None = None
    ) -> None:
        self.flush()
        self.seq += 1
        what = {"result": result, "error": error.to_json() if error else None}
        self.client.finish(
            self.claim, self.seq, state, **{key: value for key, value in what.items() if value is not None}
        )

    def release(self, reason: str, error: ImfineError | None = None) -> None:
        self._over.set()
        self.client.release(self.claim, reason, error)

    def _beat(self) -> None:
        while not self._over.wait(self.terms.heartbeat_s):
            try:
                told = self.client.heartbeat(self.claim)
                if told["cancel"]:
                    self.cancelled.set()
                if told.get("save"):
                    self.saving.set()
                if told.get("pause"):
                    self.pausing.set()
            except Gone:
                self.gone.set()
                return
            except Unavailable as away:
                log.warning("%s", away)
            except ImfineError:
                log.exception("heartbeat of run %s", self.claim.run)


def _merge(before: Event, event: Tokens) -> Tokens:
    assert isinstance(before, Tokens)
    assert before.start + len(before.ids) == event.start, (before.start, len(before.ids), event.start)
    top = None if before.top is None or event.top is None else [*before.top, *event.top]
    return replace(before, ids=[*before.ids, *event.ids], texts=[*before.texts, *event.texts], top=top)
