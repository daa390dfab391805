"""A worker as a child process: on a leash, started again when it dies, ended in time. Knows no server.

The leash is a pipe: when this process ends, however it ends, the child's standard input closes. (A signal on
the parent's death would come when the *thread* that started the child ends.) The child is not in our process
group: a terminal's Ctrl-C reaches us alone, and we end it in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0  # who lived so long starts again with the first pause


class Child:
    def __init__(self, queue: str, env: dict[str, str]) -> None:
        self.queue = queue
        self.env = env
        self.name = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0
        self._born_at = 0.0
        self._pause_s = 0.0
        self._again_at = 0.0

    def start(self) -> None:
        self.started += 1
        self.name = f"{self.queue}-{os.getpid()}-{self.started}"
        self._born_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "imfine.jobs.worker", self.queue, "--name", self.name, "--leash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # Celery announces its shutdown there; logs go to stderr
            env=self.env,
            start_new_session=True,
        )

    def died(self) -> int | None:
        """Its exit code, once, when it has ended by itself. `start_again` starts it after a pause."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self._close()
        steady = time.monotonic() - self._born_at > STEADY_S
        self._pause_s = FIRST_PAUSE_S if steady else min(2 * self._pause_s or FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._again_at = time.monotonic() + self._pause_s
        return code

    def start_again(self) -> bool:
        """Whether it was started: it had ended, and the pause is over."""
        if self.process is not None or time.monotonic() < self._again_at:
            return False
        self.start()
        return True

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def join(self, until: float) -> None:
        """Waits until then (monotonic), and kills what is left."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process = None
