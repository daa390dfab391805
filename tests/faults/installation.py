"""A whole I'm Fine on a home of its own: `imfine up`, its children, further workers, a way to watch runs."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import forked
import forking
import httpx
import psutil
import torch
from celery import Celery
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from imfine.jobs import names
from imfine.jobs.app import make_app, queue_name
from imfine.settings import Settings

T = TypeVar("T")
Process = subprocess.Popen[bytes] | forking.Forked
TERMINAL = ("succeeded", "failed", "cancelled")
# So small a model is slowed down by a second thread, and badly so on a busy machine. Tests that run beside
# each other (pytest-xdist) take different cores.
CORES = sorted(os.sched_getaffinity(0))
CORE = CORES[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % len(CORES)]
ONE_CORE = f"import os; os.sched_setaffinity(0, {{{CORE}}})\n"
PAINTER = "emoji-diffusion"
PATIENCE = 90.0  # seconds; on two slow cores, beside other tests, torch alone takes twenty to import
LONG = 800  # tokens: a second or more of the tiny model, enough to be caught at work


def write_tiny(folder: Path) -> None:
    """A random Llama that knows bytes. Slow enough to be caught at work, quick enough to wait for."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(["<end>", *letters])}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        eos_token_id=0,
        bos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


def wait_for(what: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The first true value, or the test fails. Asks less often the longer it takes: what it waits for needs
    the processor, too."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(httpx.TransportError, FileNotFoundError):
            if found := what():
                return found
        waited = time.monotonic() - began
        assert waited < seconds, f"not within {seconds} s"
        time.sleep(min(0.02 + waited / 50, 0.15))


class Installation:
    """`start()` and `stop()` may be called again and again: home and port stay."""

    def __init__(
        self, home: Path, environment: dict[str, str], *, lease_s: float = 4.0, fork: bool = True
    ) -> None:
        """`fork`: see forking.py. Else its processes are Pythons that begin anew, as a user's."""
        self.home = home
        self.port = free_port()
        self.fork = fork
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IMFINE_")},
            **environment,
            "IMFINE_HOME": str(home),
            "IMFINE_PORT": str(self.port),
            "IMFINE_LEASE_S": str(lease_s),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.said: list[str] = []
        self.process: Process | None = None
        self.others: list[Process] = []
        self._http: httpx.Client | None = None

    # -- processes

    def start(self, *, ready: bool = True) -> None:
        self.said = []
        self.process = self._run(forking.up, "up")
        if ready:
            wait_for(lambda: "?token=" in "".join(self.said) or self._over())

    def start_server_alone(self) -> None:
        """Without children, as on a machine whose workers are elsewhere."""
        self.process = self._run(forking.serve)
        wait_for(lambda: self.get("/healthz", strict=False).status_code == 200)

    def start_worker(self, queue: str = "live") -> Process:
        """One that is not a child of `up`."""
        wait_for((self.home / "worker-token").exists)
        worker = self._run(forking.worker, queue)
        self.others.append(worker)
        wait_for(lambda: worker.pid in {each["pid"] for each in self.workers()})
        return worker

    def _run(self, main: Callable[[], None], *words: str) -> Process:
        says = self.home.parent / f"{self.home.name}.says-{uuid.uuid4().hex}"
        os.mkfifo(says)
        threading.Thread(target=self._listen, args=(says,), daemon=True).start()
        if self.fork:
            first = functools.partial(forking.begin, main, CORE)
            return forking.Forked(forked.run(first, ["imfine", *words], self.environment, {1: says, 2: says}))
        code = f"from {main.__module__} import {main.__name__} as begin; begin()"
        with says.open("w") as out:
            return subprocess.Popen(
                [sys.executable, "-c", ONE_CORE + code, *words],
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _listen(self, says: Path) -> None:
        with says.open() as lines:
            for line in lines:
                self.said.append(line)
                sys.stdout.write(line)
        says.unlink()

    def _over(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "".join(self.said)
        return False

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, queue: str) -> psutil.Process:
        return next(child for child in self.children() if queue in title(child))

    def learning(self) -> list[psutil.Process]:
        """The processes that runs of training have for themselves."""
        return [each for each in self.children() if "child" in title(each)]

    def stop(self, number: int = signal.SIGTERM, seconds: float = 10.0) -> int:
        """Sends a signal and waits; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def end(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        left = [] if self.process is None or self.process.poll() is not None else self.children()
        for process in [self.process, *self.others, *left]:
            if process is not None:
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    process.kill()
                    process.wait()
        if self._http is not None:
            self._http.close()

    # -- the API

    @property
    def http(self) -> httpx.Client:
        if self._http is None:
            token = wait_for(lambda: (self.home / "token").read_text().strip())
            self._http = httpx.Client(
                base_url=f"http://127.0.0.1:{self.port}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=PATIENCE,
                trust_env=False,
            )
        return self._http

    def get(self, path: str, *, strict: bool = True) -> httpx.Response:
        answer = self.http.get(path)
        assert not strict or answer.status_code == 200, answer.text
        return answer

    def submit(self, tokens: int = 16, **more: Any) -> str:
        sampling = {"greedy": True, "max_new_tokens": tokens, "min_new_tokens": tokens}
        body = {"kind": "generate", "model": "tiny", "prompt": "Hello", "sampling": sampling, **more}
        answer = self.http.post("/api/runs", json={"recipe": {"attn": 1.5}, **body})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def paint(self, steps: int = 4, **more: Any) -> str:
        """A run of pictures by the starter that ships with the project."""
        image = {"steps": steps, "seed": 7, **more.pop("image", {})}
        body = {"kind": "generate", "model": PAINTER, "prompt": "a red apple", "image": image}
        answer = self.http.post("/api/runs", json={"recipe": {"attn": 1.2}, **body, **more})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/runs/{run_id}").json()
        return found

    def publish(self, name: str, args: list[Any]) -> None:
        """A message in the live queue, as the server would send it."""
        settings, app = self.queue()
        with app.connection_for_write():
            app.send_task(name, args=args, queue=queue_name(names.LIVE, settings))

    def queue(self) -> tuple[Settings, Celery]:
        """The queue as the installation's own server uses it."""
        given = self.environment.get
        settings = Settings(
            home=self.home,
            broker_url=given("IMFINE_BROKER_URL"),
            queue_prefix=given("IMFINE_QUEUE_PREFIX", ""),
        )
        return settings, make_app(settings)

    def cancel(self, run_id: str) -> dict[str, Any]:
        answer = self.http.post(f"/api/runs/{run_id}/cancel")
        assert answer.status_code == 200, answer.text
        cancelled: dict[str, Any] = answer.json()
        return cancelled

    def workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/workers").json()["items"]
        return found

    def wait_state(self, run_id: str, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Fails when the run ends in another state than those."""

        def look() -> dict[str, Any] | None:
            run = self.run(run_id)
            assert run["state"] in states or run["state"] not in TERMINAL, run
            return run if run["state"] in states else None

        return wait_for(look, seconds)

    def wait_tokens(self, run_id: str) -> None:
        """Until an answer is under way."""
        for event in self.follow(run_id):
            if event["type"] == "tokens":
                return
        raise AssertionError(f"run {run_id} ended without a token")

    def wait_preview(self, run_id: str, step: int = 1) -> None:
        """Until a picture is under way."""
        for event in self.follow(run_id):
            if event["type"] == "preview" and event["step"] >= step:
                return
        raise AssertionError(f"run {run_id} ended without a preview")

    def follow(self, run_id: str, last: int | None = None) -> Iterator[dict[str, Any]]:
        """The run's events from the start, or after `last`, to its end; each but a preview with its id."""
        query = "" if last is None else f"?last={last}"
        with self.http.stream("GET", f"/api/runs/{run_id}/events{query}") as answer:
            assert answer.status_code == 200
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.strip()
                elif "data" in fields:
                    place = {"id": int(fields["id"])} if "id" in fields else {}
                    yield json.loads(fields["data"]) | place
                    fields = {}

    def log(self, run_id: str) -> list[dict[str, Any]]:
        return list(self.follow(run_id))


def title(process: psutil.Process) -> list[str]:
    """What it was begun with; where it was forked, the word it has given itself (forking.py)."""
    return [*process.cmdline(), process.name()]


def text(events: list[dict[str, Any]], lane: int, attempt: int) -> str:
    """What a lane said in an attempt. No token may be missing or told twice."""
    said, at = "", 0
    for event in events:
        if event["type"] == "tokens" and event["lane"] == lane and event["attempt"] == attempt:
            assert event["start"] == at, (event["start"], at)
            at += len(event["ids"])
            said += "".join(event["texts"])
    return said


def types(events: list[dict[str, Any]]) -> list[str]:
    """The kinds of events in their order, repeats told once; states by their name."""
    kinds = [event["state"] if event["type"] == "state" else event["type"] for event in events]
    return [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]


def one_time_url(said: list[str]) -> str:
    found = re.search(r"http://\S+\?token=\S+", "".join(said))
    assert found is not None
    return found.group()
