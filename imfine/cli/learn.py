"""`imfine learn`: a knob of one's own for an image model, from two opposite prompts, without data.

Turns flags into a slider, then lets core yield.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from imfine.cli.models import Model
from imfine.cli.show import followed, print_estimate, print_line, said

Whole = Annotated[int | None, typer.Option()]


def learn(  # noqa: PLR0917 - one parameter for each option of the command
    model: Model,
    plus: Annotated[str, typer.Option(help='What the knob turns to, e.g. "smiling face".')],
    minus: Annotated[str, typer.Option(help='What it turns away from, e.g. "crying face".')],
    name: Annotated[str, typer.Option(help="What the knob is called.")],
    neutral: Annotated[
        list[str] | None,
        typer.Option("--for", help="What it is for, a neutral prompt; else for everything. Repeatable."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Its name on the page by language: ko=지역. Repeatable.")
    ] = None,
    rank: Whole = None,
    steps: Whole = None,
    batch: Whole = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    eta: Annotated[float | None, typer.Option(help="How far 1 goes.")] = None,
    count: Annotated[int | None, typer.Option(help="Pictures that the model draws to learn on.")] = None,
    seed: Whole = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only tell what memory and time it would take.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line on stdout.")] = False,
) -> None:
    """Learn a knob from −2 to 2 between two opposite prompts."""
    given: dict[str, Any] = {
        "neutral": tuple(neutral) if neutral else None,
        "rank": rank,
        "steps": steps,
        "batch": batch,
        "lr": lr,
        "eta": eta,
        "count": count,
        "seed": seed,
        "dtype": dtype,
    }
    with said(as_json=False):
        from imfine.core.train.sliders.named import estimate_slider_named, learn_named
        from imfine.core.train.sliders.slider import Slider

        changes = {key: value for key, value in given.items() if value is not None}
        labels = dict(each.partition("=")[::2] for each in label or ())
        slider = Slider(plus, minus, **changes)
        if estimate:
            print_estimate(followed(estimate_slider_named(model, slider, name)), json)
            return
        end = _shown(learn_named(model, slider, name, labels), json)
    if not json:
        typer.echo(f"{name} is learned: {end.steps:,} steps in {end.seconds:.0f} s, error {end.loss:.4f}")
        typer.echo(f"  path        {end.path}")
        typer.echo(f"  diffusers   pipe.load_lora_weights({str(Path(end.path))!r})")


def _shown(events: Any, json: bool) -> Any:
    """Progress on stderr, where it is a terminal. Returns the last event."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    end: Any = None
    with Progress(console=console, transient=True, disable=json or not console.is_terminal) as progress:
        task = progress.add_task("Reading", total=None)
        for event in events:
            if json:
                print_line(asdict(event))
            elif event.type == "phase":
                verb = "Drawing" if event.phase == "working" else "Reading"
                progress.update(task, description=verb, completed=event.done, total=event.total)
            elif event.type == "train_step":
                progress.update(task, description="Learning", completed=event.step, total=event.steps)
            end = event
    return end
