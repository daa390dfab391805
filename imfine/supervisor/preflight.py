"""What must hold before anything starts: a home that is ours, room on the disk, a port. Starts nothing.

Each failure is one sentence that says what is wrong and the command or place that mends it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from imfine.core import memory
from imfine.errors import SetupError

DISK_NEEDED = 200 << 20  # bytes: a store, its log and a broker's folders with some air
MEMORY_GOOD = 6 << 30  # bytes: below it the starter runs, larger models hardly


class Home:
    """The data directory, held by this process: its lock says who has it and where that one answers."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        _make_writable(self.path)
        _check_disk(self.path)
        self._lock = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self._read()
            os.close(self._lock)
            raise SetupError(
                f"I'm Fine runs already with the home {self.path}: {other['url']} (pid {other['pid']})",
                remedy="open that address, stop it with Ctrl-C there, or give this one another --home",
                url=other["url"],
            ) from None

    def occupy(self, url: str) -> None:
        """Tells whoever comes later where this server is."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def leave(self) -> None:
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def _read(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads(os.pread(self._lock, 4096, 0))
        except ValueError:  # it has only just taken the lock
            found = {"url": "starting", "pid": "unknown"}
        return found


def _make_writable(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".try-"):
            pass
    except OSError as reason:
        if reason.errno == errno.ENOSPC:
            raise _disk_full(path, 0) from reason
        raise SetupError(
            f"the home directory {path} cannot be written: {reason.strerror}",
            remedy="make it yours, or choose another with --home DIR or IMFINE_HOME",
            value=str(path),
        ) from reason


def _check_disk(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < DISK_NEEDED:
        raise _disk_full(path, free)


def _disk_full(path: Path, free: int) -> SetupError:
    return SetupError(
        f"the disk of {path} is full: {free >> 20} MB are free, {DISK_NEEDED >> 20} MB are needed",
        remedy="free some space, or put the home on another disk with --home DIR",
        value=free,
    )


def bind(host: str, port: int) -> socket.socket:
    """The server's socket. Held from here on, so that a port that is free now stays free for us."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as reason:
        raise SetupError(
            f"{host} is no address of this machine", remedy="leave --host out for 127.0.0.1", value=host
        ) from reason
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as reason:
        bound.close()
        raise _cannot_bind(host, port, reason) from reason
    return bound


def _cannot_bind(host: str, port: int, reason: OSError) -> SetupError:
    if reason.errno == errno.EADDRINUSE:
        url = f"http://{host}:{port}"
        who = f"another I'm Fine, at {url}" if is_imfine(url) else "another program"
        return SetupError(
            f"port {port} is taken by {who}",
            remedy=f"choose another: imfine up --port {free_port(host, port)}",
            value=port,
        )
    if reason.errno == errno.EACCES:
        return SetupError(
            f"port {port} is only for root", remedy="choose one above 1023: imfine up --port 7878", value=port
        )
    return SetupError(
        f"{host}:{port} cannot be used: {reason.strerror}",
        remedy="leave --host out for 127.0.0.1",
        value=host,
    )


def is_imfine(url: str) -> bool:
    """Whether one of us answers there. A stranger's answer is read no further than its head."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=1) as answer:
            return bool(answer.headers.get("X-Request-Id")) and json.loads(answer.read(1000)) == {"ok": True}
    except (OSError, ValueError, urllib.error.URLError):
        return False


def free_port(host: str, after: int) -> int:
    """A free port, near the one that was asked for where there is one."""
    for port in [*range(after + 1, min(after + 20, 65535)), 0]:
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    return after + 1


def memory_warning() -> str | None:
    total, available = memory.total(), memory.available()
    if total < MEMORY_GOOD:
        return f"this machine has {total / memory.GIB:.1f} GB of memory: small models only"
    if available < 2 * memory.GIB:
        return (
            f"only {available / memory.GIB:.1f} GB of memory are free: end other programs for larger models"
        )
    return None
