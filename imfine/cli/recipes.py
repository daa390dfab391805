"""The knobs' options, --band, --point, --delta and --recipe become one recipe.
Checks their form; recipe.py the values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from imfine.core.families import Layout
from imfine.core.recipe import Recipe
from imfine.errors import RecipeError

BAND = re.compile(r"(?P<knob>\w+):(?P<first>\w+)(?:-(?P<last>\w+))?=(?P<value>.+)")
DELTA = re.compile(r"(?P<id>[^=:]+)(?::(?P<band>[^=]+))?=(?P<value>.+)")
POINT = re.compile(r"(?P<point>[^=]+)=(?P<value>.+)")


def recipe_from(  # noqa: PLR0917 - one parameter for each kind of option
    file: Path | None,
    knobs: dict[str, float | None],
    bands: list[str],
    points: list[str],
    deltas: list[str],
    layout: Layout,
) -> Recipe:
    """The file's recipe, with what the options say in place of its parts.

    Raises: RecipeError.
    """
    parts = _from_file(file) if file is not None else {}
    parts |= {knob: value for knob, value in knobs.items() if value is not None}
    if bands:
        parts["bands"] = _bands(dict(parts.get("bands") or {}), bands, layout)
    if points:
        parts["points"] = {**(parts.get("points") or {}), **dict(map(_point, points))}
    if deltas:
        parts["deltas"] = _deltas(dict(parts.get("deltas") or {}), deltas, layout)
    return Recipe.parse(parts)


def _deltas(deltas: dict[str, Any], given: list[str], layout: Layout) -> dict[str, Any]:
    """`mine=0.5`: how far; `mine:attn:0-5=0.2`: times this in those bands. A band alone turns it fully on."""
    for text in given:
        match = DELTA.fullmatch(text)
        if match is None:
            raise _malformed("--delta", text, "NAME=0.5 or NAME:attn:0-5=0.2")
        id = match["id"].strip()
        knob = deltas.get(id, 1.0)
        if not isinstance(knob, dict):
            knob = {"strength": knob, "bands": {}}
        if match["band"] is None:
            knob = {**knob, "strength": _number("--delta", text, match["value"])}
        else:
            one = f"{match['band']}={match['value']}"
            knob = {**knob, "bands": _bands(dict(knob["bands"]), [one], layout)}
        deltas[id] = knob
    return deltas


def _from_file(file: Path) -> dict[str, Any]:
    try:
        parts = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(
            f"{file} cannot be read as a recipe ({error})",
            remedy='give a JSON file such as {"attn": 1.2, "points": {"o": 0.8}}',
            field="recipe",
            value=str(file),
        ) from error
    return Recipe.parse(parts).to_json()


def _bands(bands: dict[str, Any], given: list[str], layout: Layout) -> dict[str, Any]:
    """`attn:3=1.5`, `attn:0-5=0.8` or, of an image model, `attn:OUT03-OUT05=0.8`: the values of those bands;
    the others stay as they are."""
    names = layout.band_names
    for text in given:
        match = BAND.fullmatch(text)
        if match is None:
            example = names[len(names) // 2]
            raise _malformed("--band", text, f"attn:{example}=1.5 or attn:{names[0]}-{example}=0.8")
        knob = match["knob"]
        first, last = (
            _band(name, text, layout) for name in (match["first"], match["last"] or match["first"])
        )
        if first > last:
            raise RecipeError(
                f"--band {text!r:.80} runs backwards",
                remedy=f"write {knob}:{names[last]}-{names[first]}",
                field=f"recipe.bands.{knob}",
                value=text,
            )
        values = list(bands.get(knob) or [1.0] * layout.layers)
        if len(values) == layout.layers:  # of another length: the recipe's own check says so
            values[first : last + 1] = [_number("--band", text, match["value"])] * (last + 1 - first)
        bands[knob] = values
    return bands


def _band(name: str, text: str, layout: Layout) -> int:
    """Where a band of this name is in a recipe's bands."""
    names = layout.band_names
    if name in names:
        return names.index(name)
    raise RecipeError(
        f"the model has {len(names)} bands, and none is called {name:.40}",
        remedy=f"name one from 0 to {names[-1]}"
        if layout.kind == "text"
        else f"name one of {' '.join(names)}",
        field=f"recipe.bands.{text.partition(':')[0]}",
        value=text,
    )


def _point(text: str) -> tuple[str, float]:
    match = POINT.fullmatch(text)
    if match is None:
        raise _malformed("--point", text, "o=0.8, 4.q=1.2 or 4.o.h3=0")
    return match["point"].strip(), _number("--point", text, match["value"])


def _number(option: str, text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise _malformed(option, text, "a number after =") from error


def _malformed(option: str, text: str, wanted: str) -> RecipeError:
    return RecipeError(
        f"{option} {text!r:.80} is not understood",
        remedy=f"write {wanted}",
        field=f"recipe.{option.strip('-')}s",
        value=text,
    )
