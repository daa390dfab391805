"""`imfine data check`: what is in a file, a folder or a zip, before anything is trained on it. No torch.

Keeps nothing: what it reads is stored in a temporary folder, and gone when it has been told.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imfine.cli.show import followed, print_json, said, size_of
from imfine.errors import DataError, Invalid

if TYPE_CHECKING:
    from rich.text import Text

SHOWN = 3  # rows of a preview
LINES = 10  # named after a finding
WHAT = {"text": "text", "image": "pictures"}

app = typer.Typer(help="Data to train on.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _data() -> None: ...


@app.command()
def check(
    path: Annotated[list[str], typer.Argument(help="Files, folders, zips, or hf://datasets/owner/name.")],
    model: Annotated[
        str | None, typer.Option(help="Count tokens and render as this model reads: an id or a folder.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Which column is which: prompt=question,completion=answer, or text=body."),
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a row that are read; else all the model can.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")] = False,
) -> None:
    """Tell a data set's format, rows, tokens, duplicates, what is wrong in it by line, and show its first
    rows. Ends with 1 where nothing can be trained on."""
    with said(json):
        report = _report(path, model, columns, length)
        if json:
            print_json(report)
        else:
            _show(report)
    if not report["trainable"]:
        raise typer.Exit(1)


def _report(paths: list[str], model: str | None, columns: str | None, length: int | None) -> dict[str, Any]:
    """{trainable, dataset, tokens, preview}, or {trainable, error} for data that cannot be read."""
    from imfine.core.data.dataset import Dataset
    from imfine.core.data.ingest import ingest
    from imfine.core.data.records import parse_columns
    from imfine.core.data.render import preview

    mapping = parse_columns(columns) if columns else None
    kind, tokenizer, longest = _reader(model) if model else (None, None, 0)
    with tempfile.TemporaryDirectory(prefix="imfine-data-") as made:
        try:
            dataset = followed(ingest(paths, Path(made), columns=mapping))
            assert isinstance(dataset, Dataset)
            _check_kind(dataset.kind, kind)
        except DataError as error:
            return {"trainable": False, "error": error.to_json()}
        counted = None
        if tokenizer is not None and dataset.kind == "text":
            counted = _counted(dataset, tokenizer, length or longest)
        shown = preview(dataset, tokenizer, SHOWN) if counted is None or counted["tokens"] else []
        return {
            "trainable": counted is None or counted["trained"] > 0,
            "dataset": dataset.to_json(),
            "tokens": counted,
            "preview": shown,
        }


def _check_kind(data: str, model: str | None) -> None:
    if model is not None and data != model:
        raise DataError(
            f"the data are {WHAT[data]}, and the model learns from {WHAT[model]}",
            remedy="choose another model, or other data",
            field="model",
        )


def _reader(model: str) -> tuple[str, Any, int]:
    """A model's kind; of text models also the tokenizer, and the tokens it reads at most.

    Raises: Invalid, and what `find` raises.
    """
    from imfine.core.data.tokenizer import Tokenizer
    from imfine.core.families import TextLayout
    from imfine.core.models.catalog import find, layout_of
    from imfine.settings import settings

    card = find(model, settings(), any_folder=True)
    if not card.ready or card.path is None or not Path(card.path).is_dir():
        raise Invalid(
            f"{card.id} is not on this machine as a folder",
            remedy=f"run imfine pull {card.id} first",
            field="model",
            value=card.id,
        )
    layout = layout_of(card)
    if not isinstance(layout, TextLayout):
        return layout.kind, None, 0
    return layout.kind, Tokenizer(Path(card.path)), layout.context_length


def _counted(dataset: Any, tokenizer: Any, length: int) -> dict[str, Any]:
    from imfine.core.data.render import Counted, tokens

    counted = followed(tokens(dataset, tokenizer, max_length=length))
    assert isinstance(counted, Counted)
    return counted.to_json(length)


# ---------------------------------------------------------------- as a person reads it


def _show(report: dict[str, Any]) -> None:
    if "error" in report:
        _show_error(report["error"])
        return
    dataset, counted = report["dataset"], report["tokens"]
    lines = [
        dataset["name"],
        f"  format    {dataset['format']}" + _renamed(dataset["columns"]),
        f"  {'pictures' if dataset['kind'] == 'image' else 'rows'}".ljust(12) + f"{dataset['rows']:,}",
        f"  size      {size_of(dataset['bytes'])}",
    ]
    if dataset["sizes"]:
        small, large = (f"{w} × {h}" for w, h in (dataset["sizes"]["smallest"], dataset["sizes"]["largest"]))
        lines.append(f"  pixels    {small} to {large}")
    if counted:
        lines.append(
            f"  tokens    {counted['tokens']:,}, of which {counted['trained']:,} are trained;"
            f" the longest row has {counted['longest']:,} of {counted['length']:,}"
        )
    for finding in dataset["findings"] + (counted["findings"] if counted else []):
        lines.append(f"  note      {finding['message']}{_places(finding)}")
        for each in finding["params"].get("skipped", [])[:LINES]:
            lines.append(f"            {each['file']}: {each['why']}")
    typer.echo("\n".join(lines))
    _show_rows(report["preview"])
    if not report["trainable"]:
        typer.echo("imfine: no token of this would be trained", err=True)


def _renamed(columns: dict[str, str]) -> str:
    return f" ({', '.join(f'{part} is {name}' for part, name in columns.items())})" if columns else ""


def _places(finding: dict[str, Any]) -> str:
    lines = finding["lines"][:LINES]
    if not lines:
        return ""
    files = finding["params"].get("files")
    told = [f"{file} {line}" for file, line in zip(files, lines, strict=False)] if files else map(str, lines)
    more = finding["params"].get("count", len(lines)) > len(lines)
    return f" (line {', '.join(told)}{', …' if more else ''})"


def _show_error(error: dict[str, Any]) -> None:
    from imfine.core.data.findings import said as sentence

    typer.echo(f"imfine: {error['message']}", err=True)
    for each in error["params"].get("errors", [])[1:LINES]:
        typer.echo(f"        {sentence(each)}", err=True)
    if error["params"].get("total", 0) > LINES:
        typer.echo("        …", err=True)
    typer.echo(f"  → {error['remedy']}", err=True)


def _show_rows(rows: list[dict[str, Any]]) -> None:
    """What is trained is green on a terminal, and stands between ⟦ and ⟧ elsewhere."""
    from rich.console import Console
    from rich.rule import Rule

    console = Console(highlight=False, soft_wrap=True)
    coloured = sys.stdout.isatty()
    for i, row in enumerate(rows, 1):
        title = f"row {i}: {'green' if coloured else '⟦…⟧'} is trained"
        console.print(Rule(title, align="left", characters="─") if coloured else f"\n{title}", markup=False)
        console.print(_painted(row["pieces"], coloured=coloured))


def _painted(pieces: list[dict[str, Any]], *, coloured: bool) -> Text:
    from rich.text import Text

    text = Text()
    for piece in pieces:
        if coloured:
            text.append(piece["text"], style="green" if piece["trained"] else "dim")
        else:
            text.append(f"⟦{piece['text']}⟧" if piece["trained"] else piece["text"])
    return text
