"""Runs of kind `train`, `probe` and `learn`, seen from the worker: a child process, as `tasks` follows a run.

The child may take all memory or die: its own. Its standard input is its leash and takes orders, its standard
output gives events as lines of JSON (see `child`). Steps that come together are one event. Knows no server.
"""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imfine.core.events import Notice, Phase, artifact_url, to_json
from imfine.core.models.folders import ADAPTERS, stage_of
from imfine.core.train.plan import Plan
from imfine.core.train.room import in_words, lighter
from imfine.core.train.sliders.slider import Slider
from imfine.errors import ImfineError, OutOfMemory
from imfine.jobs.client import Claim
from imfine.settings import Settings

TOGETHER_S = 0.25  # steps are gathered for so long
END_S = 3.0  # a child that was told to end and does not is killed
LAST_LINES = 5
RESULTS = ("train_result", "probe_result", "slider_result")


class Died(Exception):
    """The child ended without a word: the run may be tried again. `reason`: why it fails if not."""

    def __init__(self, reason: ImfineError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Paused(Exception):
    """The child has left a checkpoint, as it was told to, and no result."""


@dataclass(frozen=True)
class TrainSteps:
    """Several of core's TrainSteps; the single numbers are the last one's."""

    steps: int
    step: list[int]
    loss: list[float]
    lr: list[float]
    grad_norm: list[float]
    tokens: int
    tokens_per_s: float
    epoch: float
    eta_s: float
    type: Literal["train_steps"] = "train_steps"


@dataclass(frozen=True)
class Told:
    """An event of the child's that is passed on as it is."""

    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn(Told):
    """A picture that was drawn on the way; `png` goes to the server before the event does."""

    sha256: str = ""
    png: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Done(Told):
    """The result."""


def as_json(event: Any) -> dict[str, Any]:
    """Of core's events and of these."""
    return event.fields if isinstance(event, Told) else to_json(event)


class Training:
    """Used by one thread; another reads what the child says."""

    def __init__(self, claim: Claim, at: Settings) -> None:
        self.progress_at = time.monotonic()
        # from its checkpoints; of the others nothing stays that is not done
        self._goes_on = claim.kind == "train"
        self._request = claim.request
        self._made = at.models_dir / claim.request.get("name", "")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child
        self._steps: list[dict[str, Any]] = []
        self._since = 0.0
        self._after: Any = None  # what came behind the steps that are gathered
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._ordered: set[str] = set()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "imfine.jobs.child"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            process_group=0,  # Ctrl-C is for the worker, which lets it save
        )
        self._folder = _folder(claim, at, self._child.pid)
        job = {"kind": claim.kind, "run": claim.run, "attempt": claim.attempt, "request": claim.request}
        self._say(json.dumps({**job, "folder": str(self._folder)}))
        threading.Thread(target=self._listen, name=f"train-{claim.run}", daemon=True).start()

    def get(self, timeout: float) -> Any:
        """The next event; None: nothing came in time. Raises: Paused, Died, and what ended the run."""
        if self._after is not None:
            event, self._after = self._after, None
            return event
        due = self._since + TOGETHER_S - time.monotonic() if self._steps else timeout
        try:
            line = self._lines.get(timeout=max(min(timeout, due), 0))
        except queue.Empty:
            return self._joined() if self._steps and due <= timeout else None
        if line is None:
            self._lines.put(None)
            raise self._ended()
        self.progress_at = time.monotonic()
        if line["type"] == "train_step":
            self._since = self._since if self._steps else self.progress_at
            self._steps.append(line)
            return self._joined() if self.progress_at - self._since >= TOGETHER_S else None
        if line["type"] == "error":
            raise ImfineError.from_json(line)
        if not self._steps:
            return _event(line)
        self._after = _event(line)
        return self._joined()

    def save(self) -> None:
        """It ends with what it has learned."""
        self._order("save")

    def pause(self) -> None:
        """It ends with a checkpoint."""
        self._order("pause")

    def cancel(self) -> None:
        """The child goes, if it is not gone; checkpoints stay."""
        self._order("cancel")
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if not self._goes_on:
            self.discard()

    def discard(self) -> None:
        """The run is given up: nothing of it stays."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _order(self, word: str) -> None:
        if word not in self._ordered:
            self._ordered.add(word)
            self._say(word)

    def _say(self, line: str) -> None:
        assert self._child.stdin is not None
        with suppress(OSError):  # it is gone: whoever reads hears of it
            self._child.stdin.write(line.encode() + b"\n")

    def _listen(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as said:
            for line in said:
                with suppress(ValueError):  # cut off by its death
                    self._lines.put(self._with_picture(json.loads(line)))
        self._child.wait()
        self._lines.put(None)

    def _with_picture(self, line: dict[str, Any]) -> dict[str, Any]:
        """What was drawn is read as soon as it is told: its folder is the model's when the run has ended."""
        if line["type"] == "sampled" and "file" in line:
            for folder in (self._folder, self._made):
                with suppress(OSError):
                    return line | {"png": (folder / line["file"]).read_bytes()}
        return line

    def _joined(self) -> TrainSteps:
        steps, self._steps = self._steps, []
        last: dict[str, Any] = {
            name: steps[-1][name] for name in ("steps", "tokens", "tokens_per_s", "epoch", "eta_s")
        }
        each: dict[str, Any] = {
            name: [step[name] for step in steps] for name in ("step", "loss", "lr", "grad_norm")
        }
        return TrainSteps(**last, **each)

    def _ended(self) -> Died | Paused:
        code = self._child.returncode
        if code == 0 and "pause" in self._ordered:
            return Paused()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]
        if code == -signal.SIGKILL:
            fact = "the process that trained was killed; most likely the machine's memory ran out"
            return Died(too_much(self._request, fact))
        text = "\n".join(lines)[-2000:]
        return Died(
            ImfineError(f"the process that trained ended with {code}: {text}", remedy="see the worker's log")
        )


def too_much(request: dict[str, Any], fact: str) -> OutOfMemory:
    """The error for a memory that did not suffice, as `fact` says, with what takes less."""
    if "slider" in request:
        return Slider(**request["slider"]).too_much(fact)
    change = lighter(Plan.parse(request["plan"]), None)
    remedy = f"go on with {in_words(change)}, or end other programs"
    return OutOfMemory(fact, remedy=remedy, field="plan.batch", change=change)


def _folder(claim: Claim, at: Settings, child: int) -> Path:
    """What a run that is given up leaves: checkpoints, what was measured, a knob that was half written."""
    if claim.kind == "probe":
        return at.home / "probes" / claim.run
    name = claim.request["name"]
    if claim.kind == "learn":
        return stage_of(at.home / ADAPTERS / name, child)
    return at.models_dir / f".{name}.train"


def _event(line: dict[str, Any]) -> Any:
    if line["type"] == "phase":
        return Phase(line["phase"], line["done"], line["total"], line["unit"])
    if line["type"] == "notice":
        return Notice(line["code"], line["message"], line["params"])
    if line["type"] == "sampled" and "file" in line:
        return _drawn(line)
    if line["type"] == "resumed":
        return Told({"type": "restart", "from": line["step"]})
    return (Done if line["type"] in RESULTS else Told)(line)


def _drawn(line: dict[str, Any]) -> Drawn:
    """As the API's `sampled`."""
    picture = {name: line[name] for name in ("seed", "width", "height", "sha256", "size")}
    picture["url"] = artifact_url(line["sha256"])
    told = {name: line[name] for name in ("type", "step", "index", "prompt")}
    return Drawn({**told, "text": "", "picture": picture}, line["sha256"], line.get("png", b""))
