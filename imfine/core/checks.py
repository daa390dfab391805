"""What a value of a recipe may be; every error names the field, the value and what would do. Plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from imfine.core.families import Layout
from imfine.errors import RecipeError

GAIN_MAX = 4.0


def number(value: Any, where: str, low: float, high: float, neutral: float = 1.0) -> float:
    reason = ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        reason, problem = "type", f"{where} must be a number, got {shown(value)}"
    elif isinstance(value, float) and not math.isfinite(value):
        reason, problem = "not_finite", f"{where} must be a finite number, got {value}"
    elif not low <= value <= high:
        reason, problem = "range", f"{where} must be between {low:g} and {high:g}, got {shown(value)}"
    if reason:
        raise RecipeError(
            problem,
            remedy=f"give a number from {low:g} to {high:g} ({neutral:g} is neutral)",
            field=where,
            value=value if isinstance(value, (float, bool)) else shown(value),
            reason=reason,
            low=low,
            high=high,
        )
    return float(value) + 0.0  # −0.0 becomes 0.0


def factors(given: Any, where: str, known: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """A factor for each layer, by knob. Raises: RecipeError."""
    checked = {}
    for knob, band in an_object(given, where).items():
        if knob not in known:
            raise unknown_key(knob, where, known)
        place = f"{where}.{knob}"
        if isinstance(band, (str, bytes, Mapping)) or not isinstance(band, Sequence):
            raise RecipeError(
                f"{place} must be a list of numbers, got {shown(band)}",
                remedy="give one number per layer",
                field=place,
                value=shown(band),
                reason="type",
            )
        checked[knob] = tuple(number(value, f"{place}.{i}", 0.0, GAIN_MAX) for i, value in enumerate(band))
    return checked


def check_length(band: Sequence[float], layout: Layout, where: str, knob: str) -> None:
    """Raises: RecipeError when it is not one factor for each of the model's bands."""
    if len(band) == layout.layers:
        return
    who, names = layout.row.model_type, layout.band_names
    raise RecipeError(
        f"{who} has {layout.layers} {layout.unit}, got a band of {len(band)} values for {knob}",
        remedy=f"give {layout.layers} ({layout.unit} {names[0]}–{names[-1]})",
        field=where,
        value=len(band),
        reason="band_length",
        layers=layout.layers,
        knob=knob,
    )


def an_object(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(
            f"{where} must be an object, got {shown(value)}",
            remedy="leave it out, or give {}",
            field=where,
            value=shown(value),
            reason="type",
        )
    return value


def unknown_key(key: Any, where: str, known: Sequence[str]) -> RecipeError:
    return RecipeError(
        f"{where} has an unknown key {shown(key)}",
        remedy=f"known keys are {', '.join(known)}",
        field=f"{where}.{shown(key)}",
        value=shown(key),
        reason="unknown_key",
        known=list(known),
    )


def shown(value: Any) -> str:
    """A value as a message may carry it: short, printable, whatever was sent."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge whole number"
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
