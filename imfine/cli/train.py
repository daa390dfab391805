"""`imfine train`: fine-tune a model on one's own data, in a terminal, without a server.

Turns flags into a plan (checked before torch is imported), then lets core yield. Ctrl-C leaves a checkpoint.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imfine.cli.models import Model
from imfine.cli.show import followed, print_estimate, print_line, said, size_of, time_of
from imfine.errors import ImfineError, Invalid

if TYPE_CHECKING:
    from imfine.core.train.events import TrainEvent
    from imfine.core.train.loop import Order

LAYERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
Number = Annotated[float | None, typer.Option()]
VERBS = {"downloading": "Fetching", "loading": "Reading", "measuring": "Measuring", "saving": "Saving"}
Whole = Annotated[int | None, typer.Option()]


def train(  # noqa: PLR0917 - one parameter for each option of the command
    model: Model,
    data: Annotated[
        list[str],
        typer.Option(
            help="A file, folder or zip to learn from: JSONL, CSV, Parquet, text, pictures; or the Hub's"
            " hf://datasets/owner/name. Repeatable."
        ),
    ],
    name: Annotated[str, typer.Option(help="What the trained model is called.")],
    parts: Annotated[str | None, typer.Option(help="attn, mlp or attn,mlp.")] = None,
    layers: Annotated[str | None, typer.Option(help="Of a text model: 0-11, or 0,4-6; else all.")] = None,
    blocks: Annotated[
        str | None, typer.Option(help="Of a picture model: IN04,M00,TE; else all of the UNet's.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="full, lora, dora or qlora.")] = None,
    rank: Whole = None,
    alpha: Number = None,
    dropout: Number = None,
    epochs: Number = None,
    steps: Whole = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate; else by the method.")] = None,
    schedule: Annotated[str | None, typer.Option(help="cosine, linear or constant.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps in which it rises.")] = None,
    weight_decay: Number = None,
    clip: Number = None,
    batch: Whole = None,
    accumulation: Whole = None,
    length: Annotated[int | None, typer.Option(help="Tokens of a sequence.")] = None,
    packing: Annotated[
        bool | None, typer.Option("--packing/--no-packing", help="Several examples share a sequence.")
    ] = None,
    checkpointing: Annotated[
        bool | None, typer.Option("--checkpointing", help="Less memory, a third more time.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Learn the questions too, not the answers only.")
    ] = False,
    eval_share: Number = None,
    eval_every: Whole = None,
    patience: Annotated[
        int | None, typer.Option(help="Evaluations without a better loss before it stops.")
    ] = None,
    save_every: Whole = None,
    keep: Annotated[int | None, typer.Option(help="Checkpoints kept.")] = None,
    sample: Annotated[
        list[str] | None, typer.Option(help="A prompt to answer, or draw, at each evaluation. Repeatable.")
    ] = None,
    ema: Annotated[float | None, typer.Option(help="Keep an average of the weights, e.g. 0.999.")] = None,
    resolution: Annotated[int | None, typer.Option(help="Pictures: pixels a side; else the model's.")] = None,
    snr_gamma: Annotated[float | None, typer.Option(help="Pictures: min-SNR weighting, e.g. 5.")] = None,
    caption_dropout: Annotated[
        float | None, typer.Option(help="Pictures: share that is shown without its caption.")
    ] = None,
    prior: Annotated[
        str | None, typer.Option(help="Pictures: what shall not be forgotten; the model draws it first.")
    ] = None,
    prior_count: Whole = None,
    prior_weight: Number = None,
    seed: Whole = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; else what this processor is quick in.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only tell what memory and time it would take.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line on stdout.")] = False,
) -> None:
    """Fine-tune a model on your own data, and keep it under a name."""
    given: dict[str, Any] = {
        "method": method,
        "rank": rank,
        "alpha": alpha,
        "dropout": dropout,
        "epochs": epochs,
        "steps": steps,
        "lr": lr,
        "schedule": schedule,
        "warmup": warmup,
        "weight_decay": weight_decay,
        "clip": clip,
        "batch": batch,
        "accumulation": accumulation,
        "length": length,
        "packing": packing,
        "checkpointing": checkpointing,
        "answers_only": False if everything else None,
        "eval_share": eval_share,
        "eval_every": eval_every,
        "patience": patience,
        "save_every": save_every,
        "keep": keep,
        "samples": sample or None,
        "ema": ema,
        "resolution": resolution,
        "snr_gamma": snr_gamma,
        "caption_dropout": caption_dropout,
        "prior": prior,
        "prior_count": prior_count,
        "prior_weight": prior_weight,
        "seed": seed,
        "dtype": dtype,
    }
    with said(as_json=False), _as_json_line(json):
        changes = {key: value for key, value in given.items() if value is not None}
        if parts is not None:
            changes["parts"] = [part.strip() for part in parts.split(",")]
        if layers is not None:
            changes["layers"] = _layers(layers)
        if blocks is not None:
            changes["blocks"] = [block.strip() for block in blocks.split(",")]
        _check(model, name, changes)
        if estimate:
            from imfine.core.train.named import estimate_named

            print_estimate(followed(estimate_named(model, data, name, changes)), json)
        else:
            _train(model, data, name, changes, resume=resume, json=json)


def _check(model: str, name: str, changes: dict[str, Any]) -> None:
    """Refuses at once what can be refused without torch, which takes seconds to import."""
    from imfine.core.models.catalog import check_name, find, layout_of
    from imfine.core.train.plan import Plan
    from imfine.settings import settings

    plan = Plan.parse(changes)
    check_name(name, settings())
    plan.check(layout_of(find(model, settings(), any_folder=True)))


def _train(
    model: str, data: list[str], name: str, changes: dict[str, Any], *, resume: bool, json: bool
) -> None:
    from imfine.core.train.events import TrainResult, to_json
    from imfine.core.train.named import train_named

    with _interruptible() as stop:
        events = train_named(model, data, name, changes, resume=resume, stop=stop)
        if not _is_first():
            for _ in events:
                pass  # the first process tells them
            return
        end: TrainResult | None = None
        if json:
            for event in events:
                print_line(to_json(event))
                end = event if isinstance(event, TrainResult) else None
        else:
            end = _shown(events)
    if end is None and not json:
        typer.echo(f"Interrupted. imfine train … --name {name} --resume goes on where it was.", err=True)
    if end is None:
        raise typer.Exit(1)
    if not json:
        _told(end.path, end)


def _is_first() -> bool:
    """Of several processes (accelerate launch) that train together one speaks."""
    return os.environ.get("RANK", "0") == "0"


def _told(path: str, end: Any) -> None:
    typer.echo(f"{Path(path).name} is trained: {end.best_step:,} steps in {time_of(end.seconds)}")
    typer.echo(f"  trained     {end.parameters:,} parameters in {end.tensors} tensors")
    if end.perplexity_before is not None and end.perplexity_after is not None:
        typer.echo(
            f"  held out    perplexity {end.perplexity_before:.2f} before, {end.perplexity_after:.2f} after"
        )
    elif end.loss_before is not None and end.loss_after is not None:
        typer.echo(f"  held out    error {end.loss_before:.4f} before, {end.loss_after:.4f} after")
    typer.echo(f"  memory      {size_of(end.peak_memory)} at most")
    typer.echo(f"  path        {path}")
    if end.adapter:
        typer.echo(f"  adapter     {end.adapter}")
    typer.echo(f'  try it      imfine tune {Path(path).name} --prompt "…"')


def _shown(events: Iterator[TrainEvent]) -> Any:
    """Progress on stderr: a bar on a terminal, else a line for each evaluation. Returns the result."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from imfine.core.train.events import SampledPicture, TrainResult

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    end: TrainResult | None = None
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Loading", total=None, told="")
        for event in events:
            if event.type == "phase":
                verb = VERBS.get(event.phase, event.phase)
                progress.update(task, description=verb, completed=event.done, total=event.total)
            elif event.type == "train_step":
                told = f"{event.step}/{event.steps}  loss {event.loss:.3f}  {event.tokens_per_s:,.0f}/s"
                progress.update(
                    task, description="Training", completed=event.step, total=event.steps, told=told
                )
            elif event.type == "evaluated":
                more = "" if event.perplexity is None else f", perplexity {event.perplexity:.2f}"
                console.print(f"step {event.step}: held out {event.loss:.4f}{more}")
            elif event.type == "sampled":
                shown = event.file if isinstance(event, SampledPicture) else repr(event.text)
                console.print(f"  {event.prompt!r} → {shown}", markup=False, highlight=False)
            elif event.type == "notice":
                console.print(event.message, markup=False)
            elif isinstance(event, TrainResult):
                end = event
    return end


@contextmanager
def _interruptible() -> Iterator[Any]:
    """Ctrl-C and SIGTERM ask the run to save and end; the second one ends it at once."""
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        asked.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        if sys.stderr.isatty():
            typer.echo("Saving a checkpoint; once more to leave at once.", err=True)

    def stop() -> Order:
        return "pause" if asked else "go"

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _as_json_line(json: bool) -> Iterator[None]:
    try:
        yield
    except ImfineError as error:
        if json:
            print_line({"type": "error", **error.to_json()})
        raise


def _layers(text: str) -> list[int]:
    """`0-3,7` → 0, 1, 2, 3, 7. Raises: Invalid."""
    found: list[int] = []
    for piece in text.split(","):
        match = LAYERS.fullmatch(piece.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= first + 10_000:
            raise Invalid(
                f"--layers {text!r:.80} is not understood",
                remedy="write 0-11, or 0,4-6",
                field="plan.layers",
                value=text,
            )
        found += range(first, last + 1)
    return found
