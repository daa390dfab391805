"""What was asked: knobs, bands, points, deltas; checked, neutral by default, one canonical JSON, spelt out.

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
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from imfine.core.checks import GAIN_MAX, an_object, check_length, factors, number, shown, unknown_key
from imfine.core.deltas.knob import DeltaKnob, delta_knobs
from imfine.core.families import KNOBS, POINTS, SIGNED, ImageLayout, Layout, Weight
from imfine.core.tones import COLOURS, RELIEF, BiasedGain, Matrix, style_relief, style_words, tone_matrix
from imfine.errors import RecipeError

EPS_KNOB_MIN = 0.1
EPS_KNOB_MAX = 16.0  # without a model; Layout.eps_knob_max is the model's own
_INDEX = "(?:0|[1-9][0-9]{0,5})"
_BAND = rf"{_INDEX}|[A-Z]{{1,8}}[0-9]{{0,4}}"  # a layer, or a block of an image model: OUT04
_POINT = re.compile(rf"(?:(?P<band>{_BAND})\.)?(?P<point>[a-z]+[12]?)(?:\.h(?P<head>{_INDEX}))?")
_FORMS = 'write "o" (all layers), "4.o" (layer 4), "4.o.h3" (its head 3), or of a picture model "OUT04.o"'


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
    biased: Mapping[str, BiasedGain] = field(default_factory=dict)  # STYLE: weight and bias
    mixed: Mapping[str, Matrix] = field(default_factory=dict)  # TONE: output channels among each other


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
    deltas: Mapping[str, DeltaKnob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for knob in KNOBS:
            low, high = (EPS_KNOB_MIN, EPS_KNOB_MAX) if knob == "eps" else (0.0, GAIN_MAX)
            object.__setattr__(self, knob, number(getattr(self, knob), f"recipe.{knob}", low, high))
        for knob in SIGNED:
            value = number(getattr(self, knob), f"recipe.{knob}", -1.0, 1.0, neutral=0.0)
            object.__setattr__(self, knob, value)
        object.__setattr__(self, "bands", MappingProxyType(factors(self.bands, "recipe.bands", KNOBS)))
        object.__setattr__(self, "points", MappingProxyType(_points(self.points)))
        object.__setattr__(self, "deltas", MappingProxyType(delta_knobs(self.deltas)))

    @classmethod
    def parse(cls, data: Any) -> Recipe:
        """A Recipe from its JSON object; every key is optional."""
        known = (*KNOBS, *SIGNED, "bands", "points", "deltas")
        for key in an_object(data, "recipe"):
            if key not in known:
                raise unknown_key(key, "recipe", known)
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The canonical form: floats, sorted, without whatever is neutral. {} is the neutral recipe."""
        out: dict[str, Any] = {}
        if self.attn != 1.0:
            out["attn"] = self.attn
        bands = {knob: list(band) for knob, band in sorted(self.bands.items()) if any(v != 1.0 for v in band)}
        if bands:
            out["bands"] = bands
        if deltas := {id: knob.to_json() for id, knob in sorted(self.deltas.items()) if knob.strength}:
            out["deltas"] = deltas
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

    @property
    def named_deltas(self) -> tuple[str, ...]:
        """The ids of those that are turned."""
        return tuple(sorted(id for id, knob in self.deltas.items() if knob.strength))

    def check(self, layout: Layout) -> None:
        """Holds the recipe against a model; which deltas the model has is not known here.

        Raises:
            RecipeError: a band's length is not the number of layers, a point, layer or head is not there, or
                an eps would pass 1e-1.
        """
        who, names = layout.row.model_type, layout.band_names
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
            check_length(band, layout, f"recipe.bands.{knob}", knob)
        for id, delta in self.deltas.items():
            for part, band in delta.bands.items():
                check_length(band, layout, f"recipe.deltas.{id}.bands.{part}", part)
        for name in self.points:
            self._check_point(name, layout)
        for layer, band_value in enumerate(self.bands.get("eps", (1.0,) * layout.layers)):
            knob_there = self.eps * band_value
            if knob_there > layout.eps_knob_max * (1 + 1e-9):
                where = f" × band {band_value:g} in {names[layer]}" if "eps" in self.bands else ""
                raise RecipeError(
                    f"eps knob {self.eps:g}{where} makes eps larger than 0.1; {who} has eps {layout.eps:g}",
                    remedy=f"keep the knob (times its band) at {layout.eps_knob_max:.4g} or below",
                    field="recipe.bands.eps" if "eps" in self.bands else "recipe.eps",
                    value=knob_there,
                    reason="eps_limit",
                    limit=layout.eps_knob_max,
                )

    def _check_point(self, name: str, layout: Layout) -> None:
        who, names = layout.row.model_type, layout.band_names
        band, point, head = split_point(name)
        problem = remedy = ""
        if point not in layout.points:
            reason, problem = "unknown_point", f"{who} has no point {point}"
            remedy = f"its points are {' '.join(layout.points)}"
        elif band is not None and band not in names:
            reason = "layer_range"
            problem = f"{who} has {layout.layers} {layout.unit}, got a point in {band}"
            remedy = f"name one of its {layout.unit}, {names[0]} to {names[-1]}"
        elif head is not None and not layout.heads_of(point):
            with_heads = " ".join(p for p in layout.points if layout.heads_of(p))
            reason, problem = "no_heads", f"{point} of {who} has no single heads"
            remedy = f"leave out .h{head}" + (f"; points with heads are {with_heads}" if with_heads else "")
        elif head is not None and head >= layout.heads_of(point):
            count = layout.heads_of(point)
            shared = point in ("k", "v") and layout.heads_of("o") != count
            reason = "head_range"
            problem = f"{point} of {who} has {count} {'key-value ' * shared}heads, got head {head}"
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
        heads = self._heads()
        names_of = {point: layout.names_of(point) for point in layout.points}
        knob_of = {
            point: knob
            for knob, points in layout.classic.items()
            for point, names in names_of.items()
            if names[-1] in points
        }
        for layer, band in enumerate(layout.bands):
            by_point = {
                point: math.prod(
                    self.points.get(name, 1.0) * self.points.get(f"{band.name}.{name}", 1.0) for name in names
                )
                for point, names in names_of.items()
            }
            for point, module in band.point_norms.items():
                if (gain := by_point.pop(point)) != 1.0:
                    norms[module] = gain
            if (gain := by_point.pop("norm")) != 1.0:
                norms.update(dict.fromkeys(band.norms, gain))
            if (exponent := self._knob("eps", layer) - 1.0) != 0.0:
                eps.update(dict.fromkeys(band.norms, 10.0**exponent))
            for module, weight in band.matrices:
                values = tuple(
                    (self._knob(knob_of[point], layer) if point in knob_of else 1.0)
                    * by_point.get(point, 1.0)
                    for point in weight.points
                )
                single = {p: heads[band.name, p] for p in weight.points if (band.name, p) in heads}
                if single or len(set(values)) > 1:
                    whole = dict(zip(weight.points, values, strict=True))
                    values = tuple(
                        whole[s.point] * single.get(s.point, {}).get(-1 if s.head is None else s.head, 1.0)
                        for s in layout.segments[weight]
                    )
                if any(value != 1.0 for value in values):
                    values = values[:1] if len(set(values)) == 1 else values
                    weights[module] = WeightGain(weight, values)
        if isinstance(layout, ImageLayout):
            return self._with_tones(layout, Gains(weights, norms, eps))
        return Gains(weights, norms, eps)

    def _heads(self) -> dict[tuple[str, str], dict[int, float]]:
        heads: dict[tuple[str, str], dict[int, float]] = {}
        for name, gain in self.points.items():
            band, point, head = split_point(name)
            if band is not None and head is not None:
                heads.setdefault((band, point), {})[head] = gain
        return heads

    def _with_tones(self, layout: ImageLayout, gains: Gains) -> Gains:
        weights = dict(gains.weights)
        if self.style != 0.0:
            for band in layout.bands:
                for module, weight in band.matrices:
                    if weight.points == ("o2",) and module.startswith(f"{layout.style_block}."):
                        before = weights[module].values[0] if module in weights else 1.0
                        weights[module] = WeightGain(weight, (before * style_words(self.style),))
        return replace(
            gains,
            weights=weights,
            biased=dict.fromkeys(RELIEF, style_relief(self.style)) if self.style != 0.0 else {},
            mixed={COLOURS: tone_matrix(self.tone)} if self.tone != 0.0 else {},
        )

    def _knob(self, knob: str, layer: int) -> float:
        band = self.bands.get(knob)
        value: float = getattr(self, knob)
        return value * band[layer] if band is not None else value


@lru_cache(maxsize=16384)
def split_point(name: str) -> tuple[str | None, str, int | None]:
    """ "4.o.h3" → ("4", "o", 3); "o" → (None, "o", None). The name has the form of a point."""
    match = _POINT.fullmatch(name)
    assert match is not None
    return match["band"], match["point"], (None if match["head"] is None else int(match["head"]))


def _points(points: Any) -> dict[str, float]:
    checked = {}
    for name, gain in an_object(points, "recipe.points").items():
        where = f"recipe.points.{shown(name)}"
        match = _POINT.fullmatch(name) if isinstance(name, str) else None
        if (
            match is None
            or match["point"] not in POINTS
            or (match["head"] is not None and match["band"] is None)
        ):
            raise RecipeError(
                f"there is no point {shown(name)}",
                remedy=f"{_FORMS}; points are {' '.join(POINTS)}",
                field=where,
                value=shown(name),
                reason="unknown_point",
                points=list(POINTS),
            )
        checked[name] = number(gain, where, 0.0, GAIN_MAX)
    return checked
