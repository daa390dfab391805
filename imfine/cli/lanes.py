"""Two answers in a terminal: side by side while they come, one after the other where no terminal reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from imfine.core.events import Event, LaneEnd, Notice, Result, Tokens

if TYPE_CHECKING:
    from rich.table import Table

TITLES = ("original", "tuned")


def shown(events: Iterator[Event], *, live: bool, quiet: bool) -> Result:
    """Follows an answer to its end. `live`: redraws both lanes as they grow; `quiet`: shows nothing on
    stdout."""
    result = _live(events) if live else _kept(events)
    if not quiet:
        if not live:
            for title, lane in zip(TITLES, result.lanes, strict=True):
                typer.echo(f"── {title} ──\n{lane.text}\n")
        typer.echo(_summary(result))
    return result


def _kept(events: Iterator[Event]) -> Result:
    result = None
    for event in events:
        if isinstance(event, Notice):
            tell(event)
        elif isinstance(event, Result):
            result = event
    assert result is not None, "an answer ends with its result"
    return result


def _live(events: Iterator[Event]) -> Result:
    from rich.live import Live

    texts, rates, result = ["", ""], ["", ""], None
    first = next(events)  # loading shows its own bar
    with Live(_drawn(texts, rates), refresh_per_second=12, vertical_overflow="visible") as view:
        for event in _chain(first, events):
            if isinstance(event, Tokens):
                texts[event.lane] += "".join(event.texts)
            elif isinstance(event, LaneEnd):
                rates[event.lane] = f"{event.tokens} tokens, {event.tokens_per_s:.0f} a second"
            elif isinstance(event, Notice):
                tell(event)
            elif isinstance(event, Result):
                result = event
                texts = [lane.text for lane in event.lanes]
            view.update(_drawn(texts, rates))
    assert result is not None, "an answer ends with its result"
    return result


def _chain(first: Event, rest: Iterator[Event]) -> Iterator[Event]:
    yield first
    yield from rest


def _drawn(texts: list[str], rates: list[str]) -> Table:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(expand=True)
    for _ in TITLES:
        table.add_column(ratio=1)
    table.add_row(
        *(
            Panel(Text(text), title=title, subtitle=rate or None)
            for title, text, rate in zip(TITLES, texts, rates, strict=True)
        )
    )
    return table


def tell(notice: Notice) -> None:
    typer.echo(f"note: {notice.message}", err=True)


def _summary(result: Result) -> str:
    """What the move did, in one line."""
    return f"{_change(result.lanes[-1].metrics)}; {adjusted(result)}"


def adjusted(result: Result) -> str:
    """How much of the model a recipe touches, and what the answer was made with."""
    made = result.manifest
    share = "under 1%" if 0 < made["share"] < 0.01 else f"{made['share']:.0%}"
    return (
        f"adjusts {made['touched']} of {made['total']} tensors, "
        f"{share} of the parameters; seed {result.seed}, {result.dtype}"
    )


def _change(metrics: dict[str, Any]) -> str:
    first = metrics.get("first_change")
    return "no token changed" if first is None else f"first change at token {first}"
