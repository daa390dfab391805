"""How the command line says things: errors as sentence and remedy, progress on stderr, answers on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from imfine.core.events import Phase
from imfine.errors import ImfineError, Invalid, ModelNotFound, PromptTooLong

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
VERBS = {
    "downloading": "Fetching",
    "loading": "Loading",
    "saving": "Converting",
    "working": "Answering",
    "measuring": "Measuring",
}


@contextmanager
def said(as_json: bool) -> Iterator[None]:
    """An error of ours ends the command: sentence and remedy on stderr, as JSON also on stdout."""
    try:
        yield
    except ImfineError as error:
        if as_json:
            print_json({"error": error.to_json()})
        typer.echo(f"imfine: {error.message}", err=True)
        if error.remedy:
            typer.echo(f"  → {error.remedy}", err=True)
        raise typer.Exit(2 if isinstance(error, Invalid | PromptTooLong | ModelNotFound) else 1) from error


def print_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    typer.echo(text.encode("utf-8", "replace").decode())  # half a surrogate pair would end the print


def print_line(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    typer.echo(text.encode("utf-8", "replace").decode())


def print_estimate(told: object, as_json: bool) -> None:
    """`told`: the memory (Need) and the time (ProbeResult) of a run."""
    assert isinstance(told, tuple), "an estimate comes last"
    need, time = told
    if as_json:
        print_line({**asdict(time), "type": "estimate", "memory": need.to_json()})
        return
    typer.echo(f"memory  {size_of(need.together)}: weights {size_of(need.weights)}, optimizer")
    typer.echo(f"        {size_of(need.optimizer)}, activations {size_of(need.activations)}")
    typer.echo(f"time    {time_of(time.seconds)}: {time.steps:,} steps of {time.step_s:.2f} s,")
    if time.evaluations:
        typer.echo(f"        {time.evaluations} evaluations of {time.evaluation_s:.1f} s,")
    typer.echo(f"        {time_of(time.rest_s)} for the rest")


def followed(steps: Iterator[Phase | T]) -> T | None:
    """Shows the phases and returns the last thing that is none."""
    last: T | None = None
    with _bar() as show:
        for step in steps:
            if isinstance(step, Phase):
                show(step)
            else:
                last = step
    return last


@contextmanager
def _bar() -> Iterator[Any]:
    """A progress bar on a terminal; a line for each phase elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def show(phase: Phase) -> None:
            _show(progress, tasks, phase)

        yield show


def _show(progress: Progress, tasks: dict[str, Any], phase: Phase) -> None:
    if phase.phase not in tasks:
        tasks[phase.phase] = progress.add_task(_verb(phase), total=phase.total, amount="")
    progress.update(tasks[phase.phase], completed=phase.done, total=phase.total, amount=_amount(phase))


def _verb(phase: Phase) -> str:
    paints = phase.phase == "working" and phase.unit == "steps"
    return "Painting" if paints else VERBS.get(phase.phase, phase.phase)


def _amount(phase: Phase) -> str:
    """12/269 MB, 3/20 steps"""
    if phase.unit == "bytes":
        total = size_of(phase.total)
        whole = f"{phase.done / 1e9:.1f}" if total.endswith("GB") else f"{phase.done / 1e6:.0f}"
        return f"{whole}/{total}" if phase.total is not None else size_of(phase.done)
    return f"{phase.done}/{phase.total or '?'} {phase.unit}"


class _Lines:
    """Where no terminal reads: one line when a phase begins."""

    def __init__(self) -> None:
        self.phase = ""

    def show(self, phase: Phase) -> None:
        if phase.phase != self.phase:
            self.phase = phase.phase
            size = f" {size_of(phase.total)}" if phase.total and phase.unit == "bytes" else ""
            typer.echo(f"{_verb(phase)}{size}", err=True)


def size_of(count: int | None) -> str:
    """Bytes for people: 3 kB, 269 MB, 13.5 GB."""
    if count is None:
        return "?"
    if 0 < count < 1e6:
        return f"{-(-count // 1000)} kB"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def count_of(count: int | None) -> str:
    """Parameters for people: 135M, 6.7B."""
    if count is None:
        return "?"
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"


def time_of(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
