"""What was asked: knobs, bands, points; checked, neutral by default, one canonical JSON, expanded to gains.

Plain Python: knows names and numbers, no tensor. What can be checked without a model is checked on making a
Recipe; `check(layout)` holds it against a model's layers, points and heads.

    effective gain of a point = knob × band[layer] × points["o"] × points["4.o"] × points["4.o.h3"]
    eps′ = eps · 10^(eps knob × band[layer] − 1)
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from imfine.core.families import KNOBS, POINTS, Layout, Weight
from imfine.errors import RecipeError

SIGNED = ("tone", "style")  # of image models: −1 to 1, 0 is neutral
GAIN_MAX = 4.0
EPS_KNOB_MIN = 0.1
EPS_KNOB_MAX = 16.0  # without a model; Layout.eps_knob_max is the model's own
_INDEX = r"(0|[1-9][0-9]{0,5})"
_POINT = re.compile(rf"(?:{_INDEX}\.)?([a-z]+)(?:\.h{_INDEX})?")
_FORMS = 'write "o" (all layers), "4.o" (layer 4) or "4.o.h3" (head 3 of layer 4)'


@dataclass(frozen=True)
class WeightGain:
    """The gains of one matrix: one value for the whole of it, or one per segment of `Layout.segments`."""

    weight: Weight
    values: tuple[float, ...]


@dataclass(frozen=True)
class Gains:
    """A recipe spelt out for one model. Only what is not neutral; keys are module names."""

    weights: Mapping[str, WeightGain]
    norms: Mapping[str, float]  # factor of the norm's stored weight
    eps: Mapping[str, float]  # eps′ / eps


@dataclass(frozen=True, eq=False)
class Recipe:
    """Two recipes are equal when their canonical JSON is: what is neutral does not count.

    Raises:
        RecipeError: a value is no finite number or out of range, a key or point is unknown.
    """

    eps: float = 1.0
    attn: float = 1.0
    mlp: float = 1.0
    tone: float = 0.0
    style: float = 0.0
    bands: Mapping[str, Sequence[float]] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for knob in KNOBS:
            low, high = (EPS_KNOB_MIN, EPS_KNOB_MAX) if knob == "eps" else (0.0, GAIN_MAX)
            object.__setattr__(self, knob, _number(getattr(self, knob), f"recipe.{knob}", low, high))
        for knob in SIGNED:
            value = _number(getattr(self, knob), f"recipe.{knob}", -1.0, 1.0, neutral=0.0)
            object.__setattr__(self, knob, value)
        object.__setattr__(self, "bands", MappingProxyType(_bands(self.bands)))
        object.__setattr__(self, "points", MappingProxyType(_points(self.points)))

    @classmethod
    def parse(cls, data: Any) -> Recipe:
        """A Recipe from its JSON object; every key is optional."""
        known = (*KNOBS, *SIGNED, "bands", "points")
        for key in _object(data, "recipe"):
            if key not in known:
                raise _unknown(key, "recipe", known)
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The canonical form: floats, sorted, without whatever is neutral. {} is the neutral recipe."""
        out: dict[str, Any] = {}
        if self.attn != 1.0:
            out["attn"] = self.attn
        bands = {knob: list(band) for knob, band in sorted(self.bands.items()) if any(v != 1.0 for v in band)}
        if bands:
            out["bands"] = bands
        if self.eps != 1.0:
            out["eps"] = self.eps
        if self.mlp != 1.0:
            out["mlp"] = self.mlp
        points = {name: gain for name, gain in sorted(self.points.items()) if gain != 1.0}
        if points:
            out["points"] = points
        out.update({knob: value for knob in SIGNED if (value := getattr(self, knob)) != 0.0})
        return dict(sorted(out.items()))

    @cached_property
    def hash(self) -> str:
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_neutral(self) -> bool:
        return not self.to_json()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def check(self, layout: Layout) -> None:
        """Holds the recipe against a model.

        Raises:
            RecipeError: a band's length is not the number of layers, a point, layer or head is not there, or
                an eps would pass 1e-1.
        """
        who, last = layout.row.model_type, layout.layers - 1
        for knob in SIGNED:
            if getattr(self, knob) != 0.0 and knob not in layout.knobs:
                raise RecipeError(
                    f"{who} is a text model: it has no {knob}",
                    remedy=f"leave {knob} out",
                    field=f"recipe.{knob}",
                    value=getattr(self, knob),
                    reason="unknown_knob",
                )
        for knob, band in self.bands.items():
            if len(band) != layout.layers:
                raise RecipeError(
                    f"{who} has {layout.layers} layers, got a band of {len(band)} values for {knob}",
                    remedy=f"give {layout.layers} (layers 0–{last})",
                    field=f"recipe.bands.{knob}",
                    value=len(band),
                    reason="band_length",
                    layers=layout.layers,
                    knob=knob,
                )
        for name in self.points:
            self._check_point(name, layout)
        for layer, band_value in enumerate(self.bands.get("eps", (1.0,) * layout.layers)):
            knob_there = self.eps * band_value
            if knob_there > layout.eps_knob_max * (1 + 1e-9):
                where = f" × band {band_value:g} in layer {layer}" if "eps" in self.bands else ""
                raise RecipeError(
                    f"eps knob {self.eps:g}{where} makes eps larger than 0.1; {who} has eps {layout.eps:g}",
                    remedy=f"keep the knob (times its band) at {layout.eps_knob_max:.4g} or below",
                    field="recipe.bands.eps" if "eps" in self.bands else "recipe.eps",
                    value=knob_there,
                    reason="eps_limit",
                    limit=layout.eps_knob_max,
                )

    def _check_point(self, name: str, layout: Layout) -> None:
        who = layout.row.model_type
        layer, point, head = split_point(name)
        problem = remedy = ""
        if point not in layout.points:
            reason, problem = "unknown_point", f"{who} has no point {point}"
            remedy = f"its points are {' '.join(layout.points)}"
        elif layer is not None and layer >= layout.layers:
            reason, problem = "layer_range", f"{who} has {layout.layers} layers, got a point in layer {layer}"
            remedy = f"name a layer from 0 to {layout.layers - 1}"
        elif head is not None and not layout.heads_of(point):
            with_heads = " ".join(p for p in layout.points if layout.heads_of(p))
            reason, problem = "no_heads", f"{point} of {who} has no single heads"
            remedy = f"leave out .h{head}; points with heads are {with_heads}"
        elif head is not None and head >= layout.heads_of(point):
            count = layout.heads_of(point)
            kind = "key-value heads" if point in ("k", "v") and layout.kv_heads != layout.heads else "heads"
            reason, problem = "head_range", f"{point} of {who} has {count} {kind}, got head {head}"
            remedy = f"name a head from 0 to {count - 1}"
        if problem:
            raise RecipeError(
                problem,
                remedy=remedy,
                field=f"recipe.points.{name}",
                value=name,
                reason=reason,
                points=list(layout.points),
                layers=layout.layers,
            )

    def gains(self, layout: Layout) -> Gains:
        """Every gain of the model that is not 1. The recipe has been checked against the same layout."""
        weights: dict[str, WeightGain] = {}
        norms: dict[str, float] = {}
        eps: dict[str, float] = {}
        heads: dict[tuple[int, str], dict[int, float]] = {}
        for name, gain in self.points.items():
            layer_, point, head = split_point(name)
            if layer_ is not None and head is not None:
                heads.setdefault((layer_, point), {})[head] = gain
        knob_of = {point: knob for knob, points in layout.row.classic.items() for point in points}
        for layer in range(layout.layers):
            by_point = {
                point: self.points.get(point, 1.0) * self.points.get(f"{layer}.{point}", 1.0)
                for point in layout.points
            }
            for point, module in layout.row.point_norms.items():
                if (gain := by_point.pop(point)) != 1.0:
                    norms[layout.module(layer, module)] = gain
            if (gain := by_point.pop("norm")) != 1.0:
                norms.update({layout.module(layer, norm): gain for norm in layout.row.norms})
            if (exponent := self._knob("eps", layer) - 1.0) != 0.0:
                eps.update({layout.module(layer, norm): 10.0**exponent for norm in layout.row.norms})
            for weight in layout.row.weights:
                values = tuple(
                    (self._knob(knob_of[point], layer) if point in knob_of else 1.0)
                    * by_point.get(point, 1.0)
                    for point in weight.points
                )
                single = {p: heads[layer, p] for p in weight.points if (layer, p) in heads}
                if single or len(set(values)) > 1:
                    whole = dict(zip(weight.points, values, strict=True))
                    values = tuple(
                        whole[s.point] * single.get(s.point, {}).get(-1 if s.head is None else s.head, 1.0)
                        for s in layout.segments[weight]
                    )
                if any(value != 1.0 for value in values):
                    values = values[:1] if len(set(values)) == 1 else values
                    weights[layout.module(layer, weight.module)] = WeightGain(weight, values)
        return Gains(weights, norms, eps)

    def _knob(self, knob: str, layer: int) -> float:
        band = self.bands.get(knob)
        value: float = getattr(self, knob)
        return value * band[layer] if band is not None else value


@lru_cache(maxsize=16384)
def split_point(name: str) -> tuple[int | None, str, int | None]:
    """ "4.o.h3" → (4, "o", 3); "o" → (None, "o", None). The name has the form of a point."""
    match = _POINT.fullmatch(name)
    assert match is not None
    layer, point, head = match.groups()
    return (None if layer is None else int(layer)), point, (None if head is None else int(head))


def _number(value: Any, where: str, low: float, high: float, neutral: float = 1.0) -> float:
    reason = ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        reason, problem = "type", f"{where} must be a number, got {_shown(value)}"
    elif isinstance(value, float) and not math.isfinite(value):
        reason, problem = "not_finite", f"{where} must be a finite number, got {value}"
    elif not low <= value <= high:
        reason, problem = "range", f"{where} must be between {low:g} and {high:g}, got {_shown(value)}"
    if reason:
        raise RecipeError(
            problem,
            remedy=f"give a number from {low:g} to {high:g} ({neutral:g} is neutral)",
            field=where,
            value=value if isinstance(value, (float, bool)) else _shown(value),
            reason=reason,
            low=low,
            high=high,
        )
    return float(value) + 0.0  # −0.0 becomes 0.0


def _bands(bands: Any) -> dict[str, tuple[float, ...]]:
    checked = {}
    for knob, band in _object(bands, "recipe.bands").items():
        if knob not in KNOBS:
            raise _unknown(knob, "recipe.bands", KNOBS)
        where = f"recipe.bands.{knob}"
        if isinstance(band, (str, bytes, Mapping)) or not isinstance(band, Sequence):
            raise RecipeError(
                f"{where} must be a list of numbers, got {_shown(band)}",
                remedy="give one number per layer",
                field=where,
                value=_shown(band),
                reason="type",
            )
        checked[knob] = tuple(_number(value, f"{where}.{i}", 0.0, GAIN_MAX) for i, value in enumerate(band))
    return checked


def _points(points: Any) -> dict[str, float]:
    checked = {}
    for name, gain in _object(points, "recipe.points").items():
        where = f"recipe.points.{_shown(name)}"
        match = _POINT.fullmatch(name) if isinstance(name, str) else None
        if match is None or match[2] not in POINTS or (match[3] is not None and match[1] is None):
            raise RecipeError(
                f"there is no point {_shown(name)}",
                remedy=f"{_FORMS}; points are {' '.join(POINTS)}",
                field=where,
                value=_shown(name),
                reason="unknown_point",
                points=list(POINTS),
            )
        checked[name] = _number(gain, where, 0.0, GAIN_MAX)
    return checked


def _object(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(
            f"{where} must be an object, got {_shown(value)}",
            remedy="leave it out, or give {}",
            field=where,
            value=_shown(value),
            reason="type",
        )
    return value


def _unknown(key: Any, where: str, known: Sequence[str]) -> RecipeError:
    return RecipeError(
        f"{where} has an unknown key {_shown(key)}",
        remedy=f"known keys are {', '.join(known)}",
        field=f"{where}.{_shown(key)}",
        value=_shown(key),
        reason="unknown_key",
        known=list(known),
    )


def _shown(value: Any) -> str:
    """A value as a message may carry it: short, printable, whatever was sent."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge whole number"
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
