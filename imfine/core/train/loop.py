"""The training loop: a plan, a model and a data set become events and, last, a folder with the trained model.

    for each step:  rows ─► loss ─► gradient (accumulated, over all processes) ─► clip ─► AdamW ─► TrainStep
    now and then:   held-out loss, samples, checkpoint

A step is a function of weights, optimizer state and its own number: the rows it reads, its learning rate and
its random numbers follow from seed and number. So a run that goes on from a checkpoint is, bit for bit, the
run that was never interrupted. The loop yields and the caller acts; it knows nothing of queue or store.
Several processes (accelerate launch) run it alike; only the first yields and writes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from imfine.core.events import Notice, Phase
from imfine.core.train import checkpoint
from imfine.core.train.curves import Curves
from imfine.core.train.data import Data
from imfine.core.train.evaluate import held_out_loss
from imfine.core.train.events import (
    Evaluated,
    Reason,
    Resumed,
    Sample,
    Saved,
    TrainEvent,
    TrainResult,
    TrainStep,
)
from imfine.core.train.home import CURVES, Home
from imfine.core.train.learner import Parent
from imfine.core.train.plan import TIMES, Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared
from imfine.core.train.result import ADAPTER, free, write_result
from imfine.core.train.sharding import check_launch, gathered, is_split, make_whole, part_of
from imfine.core.train.targets import trainable
from imfine.core.train.watch import Watch
from imfine.errors import Conflict
from imfine.version import VERSION

# go on; write the result from here; leave a checkpoint and no result; leave at once
Order = Literal["go", "save", "pause", "cancel"]
SMOOTHING = 0.9  # of the seconds a step takes, for the time that is left


def train(
    parent: Parent,
    data: Data,
    plan: Plan,
    out_dir: Path,
    *,
    resume: bool = False,
    stop: Callable[[], Order] = lambda: "go",
) -> Iterator[TrainEvent]:
    """Trains `parent` and writes `out_dir`, which is not there yet. The TrainResult comes last.

    `resume`: go on from the newest whole checkpoint, where there is one. `stop` is asked between steps:
    "save" ends the run with a result, "pause" with a checkpoint, "cancel" with neither.

    Raises:
        Invalid: the plan does not fit the model, or the data has nothing to learn.
        SetupError: it was launched in a way that is not built in.
        Conflict: `out_dir` exists, a run for it is not finished or is another's, or another process has it.
        TrainingDiverged, OutOfMemory: with what to change; checkpoints stay.
        SetupError: the disk is full. ModelBroken, ModelRefused: by the model.
    """
    accelerator = Accelerator(mixed_precision="no")  # the learner sees to it
    check_launch(accelerator.distributed_type)
    out_dir = out_dir.absolute()
    free(out_dir)
    home = Home(out_dir)
    first = accelerator.is_main_process
    held = home.held(out_dir.name, resume=resume) if first else nullcontext()
    with checkpoint.told_when_full(home.folder), held:
        run = _Run(accelerator, parent, data, plan, out_dir, home, stop, resume)
        for event in run.events():
            if first:
                yield event
        if first and run.done:
            home.remove()


@dataclass(eq=False)
class _Run:
    """One run from the first event to the last. `step` steps are done."""

    accelerator: Accelerator
    parent: Parent
    data: Data
    plan: Plan
    out_dir: Path
    home: Home
    stop: Callable[[], Order]
    resume: bool = False
    done: bool = False
    order: Order = "go"
    step: int = 0
    tokens_read: int = 0
    looked: int = -1  # the step of the last evaluation
    misses: int = 0  # evaluations since the best one
    before: Evaluated | None = None
    last: Evaluated | None = None
    best: Evaluated | None = None
    seconds_before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.watch = Watch(self.plan)

    # -- what is needed

    def events(self) -> Iterator[TrainEvent]:
        found, broken = checkpoint.newest(self.home.folder)
        if found is not None:
            self._check_same(found.state)
        yield from self._open()
        if broken:
            yield Notice(
                "checkpoint_passed_over",
                f"the checkpoint of step {broken[0]} is not whole; the run goes on from "
                f"step {found.step if found else 0}",
                {"broken": broken, "step": found.step if found else 0},
            )
        if found is not None:
            self._restore(found)
        if self.resume:
            yield Resumed(self.step)
        first = self.accelerator.is_main_process
        self.curves = Curves(self.home.curves, self.step, looked=not self._owes) if first else None
        try:
            yield from self._steps()
            if self.order in ("go", "save"):
                yield from self._result()
        finally:
            if self.curves is not None:
                self.curves.close()

    def _open(self) -> Iterator[TrainEvent]:
        for each in prepare(self.accelerator, self.parent, self.data, self.plan, self.home.tokens):
            if isinstance(each, Prepared):
                self.all = each
            else:
                yield each
        self.learner, self.steps = self.all.learner, self.all.steps
        self.eval_every = self.plan.eval_every or max(1, self.steps // TIMES)
        self.save_every = self.plan.save_every or max(1, self.steps // TIMES)

    # -- the steps

    def _steps(self) -> Iterator[TrainEvent]:
        if self.step == 0:
            yield from self._evaluate()
            self.before = self.last
        elif self._owes:
            yield from self._between()
        pace = 0.0
        while self.step < self.steps and self._ask() == "go":
            start = time.monotonic()
            taken = self.all.stepper.take(
                self.step, lambda loss, norm: self.watch.look(self.step + 1, loss, norm)
            )
            self.step += 1
            self.tokens_read += taken.tokens
            took = time.monotonic() - start
            pace = SMOOTHING * pace + (1 - SMOOTHING) * took if pace else took
            event = TrainStep(
                step=self.step,
                steps=self.steps,
                epoch=self.all.feed.epoch_after(self.step),
                loss=taken.loss,
                lr=taken.lr,
                grad_norm=taken.grad_norm,
                tokens=self.tokens_read,
                tokens_per_s=taken.tokens / max(took, 1e-9),
                eta_s=pace * (self.steps - self.step),
            )
            self._note(event)
            yield event
            yield from self._between()
            if self.plan.patience and self.misses >= self.plan.patience:
                return
        if self.order in ("save", "pause") and self.step > 0:
            yield from self._save()

    @property
    def _owes(self) -> bool:
        """An evaluation is due after this step, and was not or not wholly made."""
        due = self.step % self.eval_every == 0 or self.step == self.steps
        return due and self.looked != self.step

    def _between(self) -> Iterator[TrainEvent]:
        """After a step: evaluation and checkpoint, where they are due."""
        better = False
        if self._owes:
            before = self.best
            yield from self._evaluate()
            better = self.best is not before
        due = self.step % self.save_every == 0 or self.step == self.steps
        if (due or (better and self.plan.patience)) and not self.watch.rising and self._ask() != "cancel":
            yield from self._save()

    def _evaluate(self) -> Iterator[TrainEvent]:
        with self.all.stepper.averaged():
            yield from self._evaluated()

    def _evaluated(self) -> Iterator[TrainEvent]:
        found: Evaluated | None = None
        if self.all.held_out:
            yield Phase("measuring", self.step, self.steps, "steps")
            found = held_out_loss(
                self.learner,
                self.accelerator,
                self.all.lesson,
                self.all.held_out,
                step=self.step,
                broken_off=self._leaves,
            )
        if found is not None:
            self.last = found
            better = self.best is None or found.loss < self.best.loss
            self.misses = 0 if better else self.misses + 1
            self.best = found if better else self.best
            self._note(found)
            yield found
        answers = self.accelerator.is_main_process or is_split(self.learner)
        if self.plan.samples and answers and not self._leaves():
            for sample in self.all.lesson.samples(self.step):
                self._note(sample)
                yield sample
        if not self._leaves():
            self.looked = self.step

    def _leaves(self) -> bool:
        """Whether an evaluation shall be broken off; with several processes it never is."""
        return self.accelerator.num_processes == 1 and self._ask() in ("pause", "cancel")

    def _ask(self) -> Order:
        """The first word other than "go" counts. All processes hear what the first one hears."""
        if self.order == "go":
            heard = [self.stop() if self.accelerator.is_main_process else None]
            if self.accelerator.num_processes > 1:
                broadcast_object_list(heard)
            assert heard[0] is not None
            self.order = heard[0]
        return self.order

    def _note(self, event: TrainStep | Evaluated | Sample) -> None:
        if self.curves is not None:
            self.curves.add(event)

    # -- what is kept

    def _save(self) -> Iterator[TrainEvent]:
        kept: list[int] = []
        first = self.accelerator.is_main_process
        yield Phase("saving", self.step, self.steps, "steps")
        weights = gathered(self.learner.trained, keep=first)
        optimizer = gathered(self.all.stepper.state(), keep=first)
        if first:
            assert self.curves is not None
            self.curves.sync()
            checkpoint.save(self.home.folder, self.step, weights, optimizer, self._state())
            best = self.best.step if self.best and self.plan.patience else None
            kept = checkpoint.prune(self.home.folder, self.plan.keep, best)
        self.accelerator.wait_for_everyone()
        self.watch.saved = self.step
        yield Saved(self.step, kept)

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "tokens": self.tokens_read,
            "misses": self.misses,
            "looked": self.looked,
            "before": asdict(self.before) if self.before else None,
            "last": asdict(self.last) if self.last else None,
            "best": asdict(self.best) if self.best else None,
            "watch": self.watch.to_json(),
            "seconds": self._seconds,
            "per_step": self.all.feed.per_step,
            "plan": self.plan.to_json(),
            "data": self.data.hash,
            "parent": self.parent.checksum,
            "versions": versions(self.plan),
        }

    def _check_same(self, state: dict[str, Any]) -> None:
        """Raises: Conflict when the checkpoint is of another run."""
        per_step = self.plan.batch * self.plan.accumulation * self.accelerator.num_processes
        differs = (
            ("model" if state["parent"] != self.parent.checksum else None)
            or ("data" if state["data"] != self.data.hash else None)
            or self.plan.learns_other(Plan.parse(state["plan"]))
            or ("batch" if state["per_step"] != per_step else None)
        )
        if differs is None:
            return
        as_before = f"the {differs} it had"
        if differs == "batch":
            as_before = f"batch × accumulation × processes = {state['per_step']}"
        raise Conflict(
            f"the run for {self.out_dir.name} has another {differs} than it was begun with",
            remedy=f"resume it with {as_before}, or start anew under another name",
            field=differs if differs in ("model", "data") else f"plan.{differs}",
            value=state["plan"].get(differs),
            step=state["step"],
        )

    def _restore(self, found: checkpoint.Checkpoint) -> None:
        self._load_weights(found)
        self.all.stepper.restore(found.optimizer())
        state = found.state
        self.step, self.tokens_read = state["step"], state["tokens"]
        self.misses, self.looked = state["misses"], state["looked"]
        self.before, self.last, self.best = (
            Evaluated(**state[name]) if state[name] else None for name in ("before", "last", "best")
        )
        self.watch.restore(state["watch"])
        self.watch.saved = self.step
        self.seconds_before = state["seconds"]

    @torch.no_grad()
    def _load_weights(self, found: checkpoint.Checkpoint) -> None:
        weights = found.weights()
        for name, parameter in self.learner.trained.items():
            parameter.copy_(part_of(weights[name], parameter))

    # -- the end

    def _result(self) -> Iterator[TrainEvent]:
        reason: Reason = "steps" if self.step == self.steps else "early"
        if self.order == "save":
            reason = "stopped"
        if self.looked != self.step:
            yield from self._evaluate()
        kept, shown = self.step, self.last
        if self.plan.patience and self.best is not None and self.best.step < self.step:
            found = checkpoint.read(self.home.folder, self.best.step)
            if found is not None:
                self._load_weights(found)
                self.all.stepper.restore(found.optimizer())
                kept, shown = found.step, self.best
        with self.all.stepper.averaged():
            if is_split(self.learner):
                weights = gathered(self.learner.trained, keep=self.accelerator.is_main_process)
                make_whole(self.learner.module, weights)
            if self.accelerator.is_main_process:
                yield from self._written(reason, kept, shown)

    def _written(self, reason: Reason, kept: int, shown: Evaluated | None) -> Iterator[TrainEvent]:
        result = self._told(reason, kept, shown)
        _, held_out = self.data.split(self.plan.seed, self.plan.eval_share)
        facts = {
            "run": self.home.owner,
            "parent": {"id": self.parent.id, "checksum": self.parent.checksum},
            "data": {"hash": self.data.hash, "rows": self.data.rows, "held_out": len(list(held_out))},
            "plan": self.plan.to_json(),
            "learning_rate": self.plan.learning_rate,
            "curves": CURVES,
            "adapter": ADAPTER if result.adapter else None,
            "numbers": {
                key: value
                for key, value in asdict(result).items()
                if key not in ("path", "adapter", "curves", "versions", "type")
            },
            "versions": result.versions,
        }
        yield from write_result(self.learner, self.parent, self.out_dir, self.home.folder, facts)
        self.done = True
        yield result

    def _told(self, reason: Reason, kept: int, shown: Evaluated | None) -> TrainResult:
        local = self.learner.local
        shapes = {name: tensor.shape for name, tensor in (local.tensors or {}).items()}
        counted = trainable(local.layout, shapes, self.plan)
        return TrainResult(
            path=str(self.out_dir),
            adapter=None if self.plan.method == "full" else str(self.out_dir / ADAPTER),
            reason=reason,
            steps=self.step,
            best_step=kept,
            loss_before=self.before.loss if self.before else None,
            loss_after=shown.loss if shown else None,
            perplexity_before=self.before.perplexity if self.before else None,
            perplexity_after=shown.perplexity if shown else None,
            curves=str(self.out_dir / CURVES),
            parameters=counted.parameters,
            tensors=counted.tensors,
            tokens=self.tokens_read,
            seconds=self._seconds,
            peak_memory=peak_memory(),
            versions=versions(self.plan),
        )

    @property
    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started


def versions(plan: Plan) -> dict[str, str]:
    names = ["torch", "transformers", "diffusers", "accelerate", "peft"]
    if plan.method == "qlora":
        names.append("bitsandbytes")
    return {"imfine": VERSION} | {name: version(name) for name in names}


def peak_memory() -> int:
    """Bytes: of the GPU where there is one, else what this process held at most."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:  # getrusage would tell the parent's memory where that is more
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
