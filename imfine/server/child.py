"""A child process that is asked by lines of JSON, and that ends with its standard input. Knows no task.

What a broken file or a strange model does to it, it does to nobody else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from imfine.errors import ImfineError


class Died(Exception):
    """It ended without an answer: with `code`, or because it took longer than `seconds`."""

    def __init__(self, code: int, seconds: float | None) -> None:
        super().__init__(f"it ended with {code}")
        self.code, self.seconds = code, seconds


class Child:
    """`python -m module`, which answers {"done"} or {"error"} for each line, and may say {"at"} before.
    One thread at a time asks it."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
            bufsize=0,
            stdin=subprocess.PIPE,  # open as long as we live: it is the child's leash
            stdout=subprocess.PIPE,
        )

    def ask(self, seconds: float, **task: Any) -> dict[str, Any]:
        """What it has done. Raises: Died, and the error that it answers with."""
        self.give(**task)
        answer = self.hear(seconds)
        done: dict[str, Any] = answer["done"]
        return done

    def give(self, **task: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            _write(self._process.stdin, json.dumps(task).encode() + b"\n")

    def hear(self, seconds: float) -> dict[str, Any]:
        """Its next line: {"at"}, how far it is, where the task tells that; {"done"}.

        Raises: Died, also when the line does not come within `seconds`; the error that it answers with.
        """
        process = self._process
        assert process.stdout is not None
        began = time.monotonic()
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            said = process.stdout.readline()
        finally:
            timer.cancel()
        if not said.endswith(b"\n"):
            late = time.monotonic() - began >= seconds
            raise Died(process.wait(), seconds if late else None)
        answer: dict[str, Any] = json.loads(said)
        if "error" in answer:
            raise ImfineError.from_json(answer["error"])
        return answer

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Whoever waits for its answer hears that it died."""
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _write(pipe: Any, line: bytes) -> None:
    """All of it: a raw pipe may take less at once."""
    while line:
        line = line[pipe.write(line) :]
