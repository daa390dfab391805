"""The worker's line to the server: HTTP with a worker's token. Knows no Celery, no model and no store.

A server that restarts is waited for: whatever is posted is posted again, the same, until it is answered. What
must not be repeated carries a number (attempt, seq) by which the server knows a repeat.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from imfine.errors import ImfineError, Unauthorized, Unavailable

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
PATIENCE_S = 600.0  # a server that is away for longer has given the run on


class Gone(Exception):
    """The server does not take this worker's reports of the run (any more)."""


@dataclass(frozen=True)
class Terms:
    """What the server asks of its workers."""

    lease_s: float = 5.0
    heartbeat_s: float = 1.0
    flush_ms: float = 30.0
    memory_budget: int | None = None  # bytes for this worker's models; None: what the machine has


@dataclass(frozen=True)
class Claim:
    """A run that is this worker's, for this attempt."""

    run: str
    kind: str
    attempt: int
    request: dict[str, Any]


class Client:
    """One a process; any thread may use it."""

    def __init__(self, server_url: str, token: str, worker: str, stopping: threading.Event) -> None:
        loopback = urlsplit(server_url).hostname in ("127.0.0.1", "localhost", "::1")
        self.worker = worker
        self.stopping = stopping
        self.server_url = server_url
        self.http = httpx.Client(
            base_url=f"{server_url.rstrip('/')}/api/worker/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(10.0, connect=2.0),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            trust_env=not loopback,  # a proxy of the environment is for the world, not for this machine
        )

    def hello(self, facts: dict[str, Any]) -> Terms:
        """Says that this worker lives. One try: the next hello is five seconds away."""
        answer = self._once("hello", {"worker": self.worker, **facts})
        return Terms(**{key: answer[key] for key in answer.keys() & Terms.__dataclass_fields__.keys()})

    def kind(self, run_id: str) -> str | None:
        """Of a run that may be claimed; None: there is no such run."""
        try:
            answer = retried(lambda: self._asked("GET", f"runs/{run_id}"), self.stopping)
        except Gone:
            return None
        kind: str = answer["kind"]
        return kind

    def claim(self, run_id: str, *, redelivered: bool, message: str | None = None) -> Claim | None:
        """None: the run is not to be had, and its message may be forgotten."""
        try:
            body = {"worker": self.worker, "redelivered": redelivered, "message": message}
            answer = self._post(f"runs/{run_id}/claim", body)
        except Gone:
            return None
        return Claim(answer["run"], answer["kind"], answer["attempt"], answer["request"])

    def events(self, claim: Claim, seq: int, events: list[dict[str, Any]]) -> bool:
        """True: the run is to be cancelled."""
        body = {"attempt": claim.attempt, "seq": seq, "events": events}
        return bool(self._post(f"runs/{claim.run}/events", body)["cancel"])

    def upload(self, claim: Claim, sha256: str, png: bytes, unwanted: threading.Event) -> bool:
        """A picture's file, before the event that tells of it; the same once more does no harm. False: it is
        `unwanted` before a server that is away, or has no room, has taken it."""
        path = f"runs/{claim.run}/artifacts/{sha256}"
        params = {"attempt": claim.attempt}
        try:
            retried(lambda: self._asked("PUT", path, params=params, content=png), self.stopping, unwanted)
        except Unavailable:
            if unwanted.is_set():
                return False
            raise
        return True

    def heartbeat(self, claim: Claim) -> dict[str, Any]:
        """`cancel`: the run is to be cancelled; `save`: to be stopped, keeping what it has; `pause`: to be
        stopped with a checkpoint. One try: the next is a second away."""
        return self._once(f"runs/{claim.run}/heartbeat", {"attempt": claim.attempt})

    def finish(self, claim: Claim, seq: int, state: str, **what: Any) -> None:
        self._post(f"runs/{claim.run}/finish", {"attempt": claim.attempt, "seq": seq, "state": state, **what})

    def release(self, claim: Claim, reason: str, error: ImfineError | None = None) -> None:
        """Gives the run back; with an `error`, of which it died. While the worker ends there is little time:
        see `_post`."""
        body = {"attempt": claim.attempt, "reason": reason, "error": error.to_json() if error else None}
        self._post(f"runs/{claim.run}/release", body)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Posts until it is answered. Raises: Gone; Unavailable after PATIENCE_S, or 2 s while we end."""
        return retried(lambda: self._once(path, body), self.stopping)

    def _once(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._asked("POST", path, json=body)

    def _asked(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        """Raises: Gone, Unavailable, Unauthorized; ImfineError where the server refuses what we sent."""
        try:
            response = self.http.request(method, path, **what)
        except httpx.TransportError as reason:
            raise Unavailable(f"the server {self.server_url} does not answer: {reason!r}") from reason
        if response.status_code in (404, 409):
            raise Gone(response.text)
        if response.status_code in (401, 403):
            raise Unauthorized(
                f"the server {self.server_url} refuses this worker's token",
                remedy="set IMFINE_WORKER_TOKEN to the content of the file worker-token in the server's home",
            )
        if response.status_code >= 500:
            raise Unavailable(f"the server answered {response.status_code}: {response.text[:200]}")
        if response.status_code >= 400:
            raise ImfineError(f"the server refused {path}: {response.status_code} {response.text[:500]}")
        answer: dict[str, Any] = response.json()
        return answer


def retried(
    post: Callable[[], dict[str, Any]], stopping: threading.Event, unwanted: threading.Event | None = None
) -> dict[str, Any]:
    began, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        try:
            return post()
        except Unavailable as away:
            patience = 2.0 if stopping.is_set() else PATIENCE_S
            if time.monotonic() - began > patience or (unwanted is not None and unwanted.is_set()):
                raise
            log.warning("%s; trying again in %.1f s", away, pause)
        time.sleep(min(pause, 0.2) if stopping.is_set() else pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
