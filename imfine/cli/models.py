"""`imfine models`, `imfine pull`, `imfine inspect`: what models there are, how to get one, what is in one.
No torch."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from imfine.cli.show import count_of, followed, print_json, said, size_of
from imfine.core.models.catalog import Card

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Model = Annotated[
    str,
    typer.Argument(
        help="A starter's id, a folder, a .gguf or .safetensors file, or owner/name[@revision] on the Hub."
    ),
]


def models(json: Json = False) -> None:
    """List the models at hand, and some worth fetching."""
    from imfine.core.models.catalog import cards
    from imfine.settings import settings

    with said(json):
        found = cards(settings())
        if json:
            print_json([card.to_json() for card in found])
            return
        rows = [("MODEL", "FAMILY", "PARAMETERS", "MEMORY", "STATE"), *(_row(card) for card in found)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(card: Card) -> tuple[str, ...]:
    if card.reason is not None:
        state = str(card.reason["message"])
    elif card.ready:
        state = "ready" if card.fits else "too large for this machine's memory"
    else:
        state = f"imfine pull fetches {size_of(card.download_size)}" + (
            ", accept its terms first" if card.gated else ""
        )
    return card.id, card.family or "?", count_of(card.parameters), size_of(card.memory_needed), state


def pull(model: Model) -> None:
    """Fetch a model, once. What is here already is not fetched again."""
    from imfine.core.models.catalog import find
    from imfine.core.models.pull import pull as fetched
    from imfine.settings import settings

    with said(as_json=False):
        card = find(model, settings(), any_folder=True)
        followed(fetched(card, settings()))
        card = find(model, settings(), any_folder=True)
        typer.echo(f"{card.id} is ready in {card.path}")


def inspect(model: Model, json: Json = False) -> None:
    """Show a model's layers, points, tensors and memory, from its config and headers alone."""
    from imfine.core.models.catalog import inspect as inspected
    from imfine.settings import settings

    with said(json):
        found = inspected(model, settings())
        if json:
            print_json(found)
        else:
            typer.echo("\n".join(_described(found)))


def _described(found: dict[str, Any]) -> list[str]:
    card, layout = found["card"], found["layout"]
    need = ", ".join(f"{size_of(need)} in {dtype}" for dtype, need in found["memory"].items())
    lines = [
        f"{card['name']} ({card['id']})",
        f"  architecture  {layout['architecture']}, family {layout['family']}",
        f"  parameters    {card['parameters'] or '?':,}, {len(found['tensors'])} tensors"
        if found["tensors"]
        else f"  parameters    {count_of(card['parameters'])}",
        *(_drawing(layout) if layout["kind"] == "image" else _writing(layout)),
        f"  knobs         {' '.join(layout['knobs'])}",
        f"  eps           {layout['eps']:g}, knob up to {layout['eps_knob_max']:.2f}",
        f"  points        {' '.join(layout['points'])}",
        f"  memory        {need}",
        f"  licence       {card['licence'] or '?'}",
        f"  languages     {', '.join(card['languages'] or ['?'])}",
        f"  path          {card['path'] if card['ready'] else 'not here; imfine pull ' + card['id']}",
    ]
    if found["tensors"]:
        lines += ["", "  tensors"]
        lines += [
            f"    {times:>4} × {name}  {shape}  {dtype}"
            for (name, shape, dtype), times in _kinds(found["tensors"])
        ]
    return lines


def _writing(layout: dict[str, Any]) -> list[str]:
    heads = f"{layout['heads']} heads" + (
        f", {layout['kv_heads']} of keys and values" if layout["kv_heads"] != layout["heads"] else ""
    )
    note = "  note          q and k are normalised: ATTN acts through v, and q and k on their norms"
    return [
        f"  layers        {layout['layers']} of {layout['hidden_size']}, {heads}",
        f"  context       {layout['context_length']:,} tokens, vocabulary {layout['vocab_size']:,}",
        *([note] if layout["qk_norm"] else []),
    ]


def _drawing(layout: dict[str, Any]) -> list[str]:
    image = layout["image"]
    return [
        f"  bands         {' '.join(layout['band_names'])}",
        f"  pictures      {image['sample_size']} × {image['sample_size']}, sides in multiples of "
        f"{image['multiple_of']}",
        f"  prompt        {image['window']} tokens, {image['encoders']} text encoder"
        f"{'s' if image['encoders'] > 1 else ''}",
    ]


def _kinds(tensors: dict[str, dict[str, Any]]) -> list[tuple[tuple[str, str, str], int]]:
    """Tensors that differ only in the number of their layer, counted together."""
    kinds: dict[tuple[str, str, str], int] = {}
    for name, tensor in tensors.items():
        key = (re.sub(r"\.\d+\.", ".N.", name), "×".join(map(str, tensor["shape"])), tensor["dtype"])
        kinds[key] = kinds.get(key, 0) + 1
    return sorted(kinds.items())
