"""`imfine adapters add | list | remove`: LoRA and DoRA from elsewhere, as knobs on their model. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imfine.cli.models import Json
from imfine.cli.show import print_json, said, size_of

app = typer.Typer(
    help="LoRA and DoRA adapters, each a delta of its model.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(help="A .safetensors file (diffusers, kohya), a PEFT folder, or a zip of one.")
    ],
    model: Annotated[str, typer.Option(help="The model it was made for.")],
    name: Annotated[str | None, typer.Option(help="What its knob is called; else as the file.")] = None,
    json: Json = False,
) -> None:
    """Keep an adapter as a delta of a model: imfine tune MODEL --delta NAME=0.5."""
    with said(json):
        from imfine.core.deltas.keeping import keep_adapter
        from imfine.core.models.catalog import find
        from imfine.settings import settings

        at = settings()
        card = find(model, at, any_folder=True)
        delta = keep_adapter(file, name or file.stem, card, at)
        if json:
            print_json(delta.to_json())
            return
        typer.echo(
            f"{delta.id} changes {len(delta.parameters)} tensors of {card.id} ({delta.method},"
            f" {size_of(delta.size)}): imfine tune {card.id} --delta '{delta.id}=0.5'"
        )


@app.command("list")
def index(json: Json = False) -> None:
    """List the adapters that were given."""
    with said(json):
        from imfine.core.deltas.keeping import adapters
        from imfine.settings import settings

        found = adapters(settings())
        if json:
            print_json(found)
            return
        for each in found:
            delta = each["delta"]
            state = (
                f"{delta['method']}, {delta['tensors']} tensors, {size_of(delta['size'])}"
                if delta
                else each["reason"]["message"]
            )
            typer.echo(f"{each['id']}  of {each['model']}  {state}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="As imfine adapters list names it.")]) -> None:
    """Delete an adapter."""
    with said(as_json=False):
        from imfine.core.deltas.keeping import take_away
        from imfine.settings import settings

        take_away(name, settings())
