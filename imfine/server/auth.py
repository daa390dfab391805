"""Who may ask: tokens, the browser's session, one-time tokens. Attached to routers as dependencies.

Tokens lie in the home, readable by their owner only; those of the settings win. Knows no route and no path.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from imfine.errors import TooManyTries, Unauthorized
from imfine.server.leases import Clock
from imfine.settings import Settings

COOKIE = "imfine_session"
SESSION_S = 30 * 24 * 3600
ONE_TIME_S = 600.0
TRIES, TRIES_S = 10, 60.0
REMEDY = "open the URL that `imfine up` printed, or send the token in the home's file `token` as Bearer"


def token_of(home: Path, name: str, given: SecretStr | None) -> str:
    """The token of the settings, or of the file `name` in the home, made now if it is not there."""
    if given is not None and given.get_secret_value():
        return given.get_secret_value()
    home.mkdir(parents=True, exist_ok=True)
    path = home / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        if kept := path.read_text().strip():
            return kept
        path.unlink()  # cut off while it was made
        return token_of(home, name, given)
    token = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
    return token


@dataclass
class Tries:
    """Wrong tokens by address, the last minute's."""

    clock: Clock = time.monotonic
    _wrong: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, address: str) -> None:
        """Raises: TooManyTries."""
        with self._lock:
            wrong = self._recent(address)
            if len(wrong) >= TRIES:
                raise TooManyTries(
                    f"{TRIES} wrong tokens within a minute",
                    remedy="wait a minute; " + REMEDY,
                    retry_after_s=TRIES_S,
                )

    def wrong(self, address: str) -> None:
        with self._lock:
            self._recent(address).append(self.clock())

    def _recent(self, address: str) -> deque[float]:
        since = self.clock() - TRIES_S
        self._wrong = {a: w for a, w in self._wrong.items() if w and w[-1] > since}
        wrong = self._wrong.setdefault(address, deque())
        while wrong and wrong[0] <= since:
            wrong.popleft()
        return wrong


class Auth:
    def __init__(self, settings: Settings, clock: Clock = time.monotonic) -> None:
        self.token = token_of(settings.home, "token", settings.token)
        self.worker_token = token_of(settings.home, "worker-token", settings.worker_token)
        self.secure = (settings.public_url or "").startswith("https://")
        self.tries = Tries(clock)
        self._key = hmac.digest(self.token.encode(), b"imfine session", "sha256")
        self._clock = clock
        self._one_time: dict[bytes, float] = {}  # digest → valid until
        self._lock = threading.Lock()

    def issue_login_token(self) -> str:
        """A token for one login within ten minutes, to be put into a URL."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._one_time[_digest(token)] = self._clock() + ONE_TIME_S
        return token

    def login(self, token: str, address: str) -> str:
        """A session for a permanent or a one-time token. Raises: Unauthorized, TooManyTries."""
        self.tries.check(address)
        if not (_same(token, self.token) or self._use(token)):
            self.tries.wrong(address)
            raise Unauthorized(
                "the token is wrong, or has been used or is too old", remedy=REMEDY, field="token"
            )
        return self.new_session()

    def _use(self, token: str) -> bool:
        with self._lock:
            return self._one_time.pop(_digest(token), 0.0) > self._clock()

    def new_session(self) -> str:
        head = f"1.{int(time.time()) + SESSION_S}.{secrets.token_urlsafe(12)}"
        return f"{head}.{self._sign(head)}"

    def session_holds(self, cookie: str) -> bool:
        head, _, signature = cookie.rpartition(".")
        if not _same(signature, self._sign(head)):
            return False
        return int(head.split(".")[1]) > time.time()  # ours, so it is well-formed

    def check_user(self, bearer: str | None, cookie: str | None, address: str) -> None:
        """Raises: Unauthorized, TooManyTries."""
        if cookie is not None and self.session_holds(cookie):
            return
        if bearer is None:
            raise Unauthorized("this needs a token", remedy=REMEDY)
        self.tries.check(address)
        if not _same(bearer, self.token):
            self.tries.wrong(address)
            raise Unauthorized("the token is wrong", remedy=REMEDY)

    def check_worker(self, bearer: str | None) -> None:
        """Raises: Unauthorized. Never made to wait: others at the same address may try wrong tokens."""
        if bearer is None or not _same(bearer, self.worker_token):
            raise Unauthorized(
                "this needs the worker's token",
                remedy="set IMFINE_WORKER_TOKEN to the content of the file worker-token in the server's home",
            )

    def _sign(self, head: str) -> str:
        return hmac.new(self._key, head.encode(errors="replace"), hashlib.sha256).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(errors="replace"), b.encode(errors="replace"))
