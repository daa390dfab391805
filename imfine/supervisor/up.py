"""`imfine up`: the server in this process, its two workers as children, one URL to open.

Says what it does in a few lines, ends everything on Ctrl-C, SIGTERM or SIGHUP within ten seconds, and leaves
no process behind, however it ends. Knows neither what a run is nor how a model works.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from pydantic import ValidationError

from imfine.errors import SetupError
from imfine.jobs import names
from imfine.server.auth import token_of
from imfine.settings import Settings, config_file, settings
from imfine.supervisor import preflight
from imfine.supervisor.children import Child
from imfine.version import VERSION

if TYPE_CHECKING:
    from imfine.server.run import Server

LOOK_S = 0.05
READY_S = 60.0  # a machine that is slower than this is told to look at what its workers say
CHILDREN_S = 8.3  # a worker cuts itself off before that
SERVER_S = 1.2
INTERRUPTED = 130


class Stop:
    """Turns signals into a flag. The second Ctrl-C does not wait for anything any more.

    A plain flag: a signal's handler runs within the main thread, wherever it is, and would wait for ever for
    a lock that this thread holds, as it does in the middle of Event.wait().
    """

    def __init__(self) -> None:
        self.asked = False
        self.forced = False
        self.code = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            self.forced = True
        self.code = INTERRUPTED if number == signal.SIGINT else 0
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Whether the end is asked for, after so long."""
        time.sleep(seconds)
        return self.asked


def up(
    *, host: str | None = None, port: int | None = None, home: Path | None = None, out: TextIO = sys.stdout
) -> int:
    """Until it is told to stop; returns the exit code. Raises: SetupError."""
    began = time.monotonic()
    stop = Stop()
    at = configure({"IMFINE_HOST": host, "IMFINE_PORT": port, "IMFINE_HOME": home})
    held = preflight.Home(at.home)
    say = Say(out)
    say.line(f"아임파인 · I'm Fine {VERSION}")
    say.step("home", f"{held.path}" + (" (a Windows drive cannot hold it)" if at.home_moved else ""))
    if (warning := preflight.memory_warning()) is not None:
        say.step("memory", warning)
    listening = preflight.bind(at.host, at.port)
    held.occupy(f"http://{at.host}:{at.port}")
    token_of(at.home, "worker-token", at.worker_token)  # before a worker looks for it
    children = [Child(queue, child_env(at)) for queue in names.QUEUES]
    try:
        for child in children:
            child.start()
        serving = Serving(at, listening)
        say.step("store", f"{serving.server.context.store.engine.dialect.name}, migrated")
        serving.start()
        return watch(serving, children, stop, say, began)
    finally:
        for child in children:
            child.stop(signal.SIGKILL)
            child.join(time.monotonic() + 1)
        listening.close()
        held.leave()


def configure(asked: Mapping[str, object]) -> Settings:
    """Puts the command line's words into the environment, where the children read them too."""
    os.environ.update({name: str(value) for name, value in asked.items() if value is not None})
    settings.cache_clear()
    try:
        return settings()
    except ValidationError as reason:
        first = reason.errors()[0]
        name = "IMFINE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SetupError(
            f"the setting {name} is {first['input']!r}: {first['msg']}",
            remedy=f"correct it in the environment or in {config_file()}",
            field=name,
        ) from reason


def child_env(at: Settings) -> dict[str, str]:
    """A worker reaches the server by the loopback address also where it listens on all of them."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(at.host, at.host)  # noqa: S104
    url = at.server_url or f"http://{host}:{at.port}"
    return {**os.environ, "IMFINE_HOME": str(at.home), "IMFINE_SERVER_URL": url}


class Say:
    """A few lines for whoever sits before the terminal."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def line(self, text: str = "") -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(text, file=self.out, flush=True)

    def step(self, what: str, text: str) -> None:
        self.line(f"  {what:<8} {text}")


class Serving:
    """The server in a thread of its own: the main thread keeps the signals and the children."""

    def __init__(self, at: Settings, listening: socket.socket) -> None:
        from imfine.server.run import make_server

        self.server: Server = make_server(at)
        self._thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [listening]}, name="server", daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        while not self.server.started:
            if not self._thread.is_alive():
                raise SetupError("the server ended while it started", remedy="see the lines above")
            time.sleep(0.01)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, *, force: bool = False) -> None:
        """Ends streams and requests under way; what takes too long is cut off."""
        self.server.should_exit = True
        self.server.force_exit = force
        self._thread.join(SERVER_S)
        self.server.force_exit = True
        self._thread.join(SERVER_S / 4)

    def ready_workers(self) -> set[str]:
        return {present.worker for present, _ in self.server.context.workers.all()}

    def worker_gone(self, name: str) -> None:
        self.server.context.workers.gone(name)
        self.server.context.life.worker_gone(name)


def watch(serving: Serving, children: list[Child], stop: Stop, say: Say, began: float) -> int:
    """Follows server and children until the end is asked for."""
    announced = late = False
    while not stop.wait(LOOK_S):
        if not serving.alive:
            raise SetupError(
                "the server has ended by itself", remedy="see the lines above, then start it again"
            )
        for child in children:
            if (code := child.died()) is not None:
                say.step(child.queue, f"worker ended ({_reason(code)}), a new one starts")
                serving.worker_gone(child.name)
            child.start_again()
        if not announced and {child.name for child in children} <= serving.ready_workers():
            announced = True
            say.step("workers", f"{' and '.join(child.queue for child in children)}, ready")
            say.step("ready", f"in {time.monotonic() - began:.1f} s; Ctrl-C ends it")
            say.line(f"\n  {serving.server.login_url()}\n")
        elif not announced and not late and time.monotonic() - began > READY_S:
            late = True
            say.step("workers", f"not ready after {READY_S:.0f} s; see the lines above")
            say.line(f"\n  {serving.server.login_url()}\n")
    return end(serving, children, stop, say)


def end(serving: Serving, children: list[Child], stop: Stop, say: Say) -> int:
    """Streams end, runs go back to the queue, children end, then the server."""
    say.step("stop", "runs go back to the queue; Ctrl-C again does not wait")
    until = time.monotonic() + CHILDREN_S
    for child in children:
        child.stop()
    while not stop.forced and time.monotonic() < until and any(child.running for child in children):
        time.sleep(LOOK_S)
    for child in children:
        child.join(0)
    serving.stop(force=stop.forced)
    say.step("stop", "done")
    return stop.code


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
