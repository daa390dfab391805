"""What a recipe says of one delta: how far, and in which layers and parts. Plain Python: knows no tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from imfine.core.checks import an_object, factors, number, shown, unknown_key
from imfine.core.models.folders import NAME
from imfine.errors import RecipeError

LOW, HIGH = -2.0, 2.0
PARTS = ("attn", "mlp")
MOST = 16  # deltas of one recipe


@dataclass(frozen=True)
class DeltaKnob:
    """`strength` δ, −2 to 2; in layer i and part p it is strength × bands[p][i]."""

    strength: float
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_json(self) -> float | dict[str, Any]:
        """The canonical form: the plain number where no band is turned."""
        bands = {part: list(band) for part, band in sorted(self.bands.items()) if any(v != 1.0 for v in band)}
        return {"bands": bands, "strength": self.strength} if bands else self.strength


def delta_knobs(given: Any) -> dict[str, DeltaKnob]:
    """A recipe's `deltas`: {"id": 0.5} or {"id": {"strength": 0.5, "bands": {"attn": […]}}}.

    Raises: RecipeError.
    """
    if len(an_object(given, "recipe.deltas")) > MOST:
        raise RecipeError(
            f"recipe.deltas names {len(given)} deltas",
            remedy=f"turn at most {MOST} at once",
            field="recipe.deltas",
            value=len(given),
            reason="too_many",
            most=MOST,
        )
    knobs = {}
    for id, value in given.items():
        where = f"recipe.deltas.{shown(id)}"
        if not isinstance(id, str) or not NAME.fullmatch(id):
            raise RecipeError(
                f"no delta can be called {shown(id)}",
                remedy="name one of the model's deltas",
                field=where,
                value=shown(id),
                reason="unknown_delta",
            )
        knobs[id] = value if isinstance(value, DeltaKnob) else _knob(value, where)
    return knobs


def _knob(value: Any, where: str) -> DeltaKnob:
    if not isinstance(value, Mapping):
        return DeltaKnob(number(value, where, LOW, HIGH, neutral=0.0))
    for key in value:
        if key not in ("strength", "bands"):
            raise unknown_key(key, where, ("strength", "bands"))
    strength = number(value.get("strength", 0.0), f"{where}.strength", LOW, HIGH, neutral=0.0)
    return DeltaKnob(strength, MappingProxyType(factors(value.get("bands") or {}, f"{where}.bands", PARTS)))
