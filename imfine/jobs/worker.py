"""A worker process: `python -m imfine.jobs.worker live|batch [--name NAME] [--leash]`.

Takes runs from one queue and works them off in threads: torch lets go of the interpreter's lock, and CUDA
does not survive a fork. It ends on SIGTERM or SIGINT, and with `--leash` when standard input closes, which
its supervisor's death does too: runs go back to the queue, and all is over in ten seconds. Knows no model.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, ClassVar

from celery import Celery, signals
from celery.worker.consumer import Consumer as CeleryConsumer

from imfine.core import memory
from imfine.core.train.plan import methods_here
from imfine.errors import ImfineError, Unauthorized, Unavailable
from imfine.jobs import names
from imfine.jobs.app import make_app, queue_name
from imfine.jobs.client import Claim, Client, Gone
from imfine.jobs.live import Live, Submission
from imfine.jobs.tasks import Runner, Submit, register
from imfine.jobs.training import Training
from imfine.settings import Settings, settings
from imfine.version import VERSION

log = logging.getLogger(__name__)

HELLO_S = 5.0
KNOCK_S = 0.2  # until the server has answered the first hello, or the first after it was away
GRACE_S = 8.0  # what has not ended by then is cut off; the broker or the lease gives its run on
THREADS = {names.LIVE: 16, names.BATCH: 4}  # runs at once; one that waits for free rows takes a thread too
BATCH_NICENESS = 10


class Worker:
    def __init__(self, queue: names.QueueName, name: str, at: Settings) -> None:
        self.queue = queue
        self.name = name
        self.at = at
        self.stopping = threading.Event()
        self.client = Client(at.worker_server_url, worker_token(at), name, self.stopping)
        self._has_torch = False
        self.live = Live(memory.budget(at.memory_budget_gib))
        kinds: dict[str, Submit] = {
            "generate": self._generate,
            "train": lambda claim: Training(claim, at),
            "probe": lambda claim: Training(claim, at),
            "learn": lambda claim: Training(claim, at),
        }
        self.runner = Runner(self.client, kinds, self.stopping, prepare=self._prepare)

    def run(self) -> int:
        """Until the process is told to end. Celery's own state is left in order: messages are acknowledged or
        back in their queue."""
        app = make_app(self.at)
        app.conf.worker_consumer = f"{__name__}:Consumer"
        register(app, self.runner)
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_stop, weak=False)
        return self._serve(app)

    def _serve(self, app: Celery) -> int:
        worker = app.Worker(
            hostname=self.name,
            queues=[queue_name(self.queue, self.at)],
            pool="threads",
            concurrency=THREADS[self.queue],
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        worker.start()
        return int(worker.exitcode or 0)

    def _on_ready(self, **_: Any) -> None:
        handler = signal.getsignal(signal.SIGTERM)  # Celery's, for its warm shutdown
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, handler)
        threading.Thread(target=self._greet, name="hello", daemon=True).start()
        if self.queue == names.LIVE:
            threading.Thread(target=self._preload, name="preload", daemon=True).start()

    def _on_stop(self, **_: Any) -> None:
        self.stopping.set()
        cut = threading.Timer(GRACE_S, os._exit, [1])
        cut.daemon = True
        cut.start()

    def _greet(self) -> None:
        """Tells the server again and again that this worker lives."""
        while not self.stopping.is_set():
            pause = HELLO_S
            try:
                self.runner.terms = terms = self.client.hello(self._facts())
                self.live.budget = terms.memory_budget or self.live.budget
            except (Unavailable, Gone) as away:
                log.info("%s", away)
                pause = KNOCK_S
            except Unauthorized as refused:
                log.error("%s", refused)
                os.kill(os.getpid(), signal.SIGTERM)
            self.stopping.wait(pause)

    def _facts(self) -> dict[str, Any]:
        return {
            "queues": [self.queue],
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "device": "cuda" if memory.gpus() else "cpu",
            "memory_total": memory.total(),
            "warm": self.live.warm,
            "methods": list(methods_here()),
            "version": VERSION,
        }

    def _prepare(self, run_id: str) -> None:
        """Torch is imported before a run is claimed that works in this process: for so long its lease would
        hear little of it. What works in a child needs none here."""
        if not self._has_torch and self.client.kind(run_id) == "generate":
            import imfine.jobs.generate  # noqa: F401

            self._has_torch = True

    def _generate(self, claim: Claim) -> Submission:
        from imfine.jobs import generate  # torch

        return generate.submit(self.live, claim, self.at)

    def _preload(self) -> None:
        """The first answer is quick when the starter is warm before anybody asks."""
        from imfine.jobs import generate

        self._has_torch = True
        try:
            generate.preload(self.live, self.at)
        except ImfineError as error:
            log.info("nothing is warm yet: %s", error)


class Consumer(CeleryConsumer):  # type: ignore[misc]
    """Celery's, but a message that is no task of ours is forgotten instead of ending the worker."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc]
        # without the 28 queues that Celery keeps for tasks with an ETA on quorum queues: we have none
        default_steps: ClassVar = [
            step for step in CeleryConsumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            try:
                handle(message)
            except (*self.connection_errors, *self.channel_errors):
                raise
            except Exception:
                log.exception("forgot a message that is not a task")
                message.reject()

        return on_message


def worker_token(at: Settings) -> str:
    if at.worker_token is not None and (given := at.worker_token.get_secret_value()):
        return given
    try:
        return (at.home / "worker-token").read_text().strip()
    except OSError as reason:
        raise Unauthorized(
            f"there is no worker's token: {reason}",
            remedy="set IMFINE_WORKER_TOKEN to the content of the file worker-token in the server's home",
        ) from reason


def be_nice(niceness: int) -> None:
    """Leaves the processor to others. Linux may group processes by session and share it between the groups
    (autogroup): then a niceness counts within the session alone, and the session has one of its own."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))


def leash() -> None:
    """Returns when the other end of standard input is closed, and ends this process then."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m imfine.jobs.worker", description="A worker of I'm Fine.")
    parser.add_argument("queue", choices=names.QUEUES)
    parser.add_argument("--name", help="how the server knows this worker; made up by default")
    parser.add_argument("--leash", action="store_true", help="end when standard input closes")
    asked = parser.parse_args()
    logging.basicConfig(
        level=logging.WARNING, format=f"%(asctime)s {asked.queue} %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("celery.app.trace").setLevel(logging.ERROR)  # a message that goes back is no news
    signals.setup_logging.connect(lambda **_: None, weak=False)  # keeps Celery from setting up its own
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    if asked.leash:
        threading.Thread(target=leash, name="leash", daemon=True).start()
    if asked.queue == names.BATCH:
        be_nice(BATCH_NICENESS)
    name = asked.name or f"{socket.gethostname()}-{asked.queue}-{secrets.token_hex(3)}"
    try:
        code = Worker(asked.queue, name, settings()).run()
    except ImfineError as error:
        sys.exit(f"worker {name}: {error}")
    logging.shutdown()
    os._exit(code)  # decode loops are daemons deep in torch: nothing is left that could be tidied


if __name__ == "__main__":
    main()
