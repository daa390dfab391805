"""`imfine up` and a worker, forked from a process that has imported all they need (forked.py), as are those
that they start in turn. Starting Python and torch anew took a third of these tests' time.

What is forked differs in how it begins, and in what its memory holds: tests of either start Python anew
(`Installation(forked=False)`).
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from imfine.cli import main as up
from imfine.jobs.worker import main as worker
from imfine.server.run import make_server
from imfine.settings import settings

__all__ = ["begin", "serve", "up", "worker"]

FORKED = ("imfine.jobs.worker", "imfine.jobs.child")
KEPT: list[Any] = []


def begin(main: Callable[[], None], core: int) -> None:
    """The first of an installation's processes: what starts others there forks them."""
    os.setsid()
    os.sched_setaffinity(0, {core})
    offline()
    subprocess.Popen = Popen  # type: ignore[misc]
    main()


def serve() -> None:
    make_server(settings()).run()


def offline() -> None:
    """The library reads its environment when it is imported."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = os.environ["HF_HUB_OFFLINE"] == "1"


class Popen(subprocess.Popen[Any]):
    """`python -m module …` without exec, for the modules named above."""

    def _execute_child(self, args: Any, *more: Any) -> None:
        if not (args[0] == sys.executable and args[1] == "-m" and args[2] in FORKED):
            super()._execute_child(args, *more)  # type: ignore[misc]
            return
        given = dict(zip((*BEFORE_PIPES, *PIPES, *AFTER_PIPES), more, strict=True))
        self.pid = os.fork()
        if self.pid == 0:
            become(args[2], args[3:], given)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in PIPES))


# The arguments of subprocess's own method, Python 3.11 to 3.14.
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
BEFORE_PIPES = (
    *("executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env"),
    *("startupinfo", "creationflags", "shell"),
)
AFTER_PIPES = ("restore_signals", "gid", "gids", "uid", "umask", "start_new_session", "process_group")


def become(module: str, words: Sequence[str], given: dict[str, Any]) -> None:
    code = 1
    try:
        gc.freeze()  # what is finalised here would close the file that has its number by then
        KEPT.extend((sys.stdin, sys.stdout, sys.stderr))  # likewise
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if given["start_new_session"]:
            os.setsid()
        if given["process_group"] >= 0:
            os.setpgid(0, given["process_group"])
        for at, name in enumerate(("p2cread", "c2pwrite", "errwrite")):
            if given[name] != -1:
                os.dup2(given[name], at)
        os.closerange(3, 1 << 16)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(n, mode, closefd=False) for n, mode in enumerate("rww")
        )
        if given["env"] is not None:
            os.environ.clear()
            os.environ.update(given["env"])
        Path("/proc/self/comm").write_text(words[0] if words else module.rpartition(".")[2])
        settings.cache_clear()
        sys.argv = [module, *words]
        importlib.import_module(module).main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 (nobody is above us: the process ends)
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


class Forked:
    """What subprocess.Popen offers, as far as an installation asks for it."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        self._process.join(seconds)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("imfine", seconds or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
