"""What a recipe touches: every tensor with its factor, N of M tensors, the share of parameters, every eps.

Plain Python: counts from names and shapes. A bake multiplies by the same `Touch`es: what is told is done.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imfine.core.deltas.found import Delta, named_delta
from imfine.core.deltas.strength import Places
from imfine.core.families import Layout, stored
from imfine.core.recipe import Recipe
from imfine.core.tones import Matrix
from imfine.errors import ModelBroken


@dataclass(frozen=True)
class Touch:
    """One stored tensor and its factors along `axis`: of every (point, head) there, `size` features each."""

    parts: tuple[tuple[str, int, float], ...]  # (label, size, factor); a label is q, or q.h3
    axis: int
    matrix: Matrix | None = None  # TONE's: mixes the first axis; the factors are its diagonal

    @property
    def factor(self) -> float | None:
        """The one factor of the whole tensor; None where its parts differ."""
        factors = {factor for _, _, factor in self.parts} if self.matrix is None else set()
        return factors.pop() if len(factors) == 1 else None


def touches(layout: Layout, recipe: Recipe, tensors: Mapping[str, tuple[int, ...]]) -> dict[str, Touch]:
    """Every tensor that the recipe changes, by its stored name.

    Raises:
        ModelBroken: a tensor is missing, or its shape contradicts the config.
    """
    gains = recipe.gains(layout)
    found: dict[str, Touch] = {}
    points_of_norms = {norm: point for band in layout.bands for point, norm in band.point_norms.items()}
    for module, factor in gains.norms.items():
        name = stored(f"{module}.weight", tensors)
        point = points_of_norms.get(module, "norm")
        found[name] = Touch(((point, math.prod(tensors[name]), factor),), axis=0)
    for module, gain in gains.weights.items():
        name = stored(f"{module}.weight", tensors)
        segments = layout.segments[gain.weight]
        axis = 1 if (gain.weight.heads == "in") != layout.transposed else 0
        size = sum(segment.size for segment in segments)
        if len(tensors[name]) != 2 or tensors[name][axis] != size:
            raise ModelBroken(
                f"{name} has the shape {list(tensors[name])}, its config asks for {size} along axis {axis}",
                remedy="fetch the model again, from its source",
                field="model",
                value=name,
            )
        values = gain.values * len(segments) if len(gain.values) == 1 else gain.values
        found[name] = Touch(
            tuple(
                (s.point if s.head is None else f"{s.point}.h{s.head}", s.size, value)
                for s, value in zip(segments, values, strict=True)
            ),
            axis,
        )
    for module, both in gains.biased.items():
        for of, factor in (("weight", both.weight), ("bias", both.bias)):
            name = stored(f"{module}.{of}", tensors)
            found[name] = Touch((("style", tensors[name][0], factor),), axis=0)
    for module, matrix in gains.mixed.items():
        for of in ("weight", "bias"):
            name = stored(f"{module}.{of}", tensors)
            parts = tuple(
                (colour, 1, row[i]) for i, (colour, row) in enumerate(zip("rgb", matrix, strict=True))
            )
            found[name] = Touch(parts, axis=0, matrix=matrix)
    return found


def delta_touches(
    layout: Layout, recipe: Recipe, tensors: Mapping[str, tuple[int, ...]], deltas: Iterable[Delta]
) -> dict[str, dict[str, float]]:
    """Every tensor that the recipe's deltas change, by its stored name: {id: δ}. `deltas`: the model's own.

    Raises:
        RecipeError: the recipe names a delta that is not among them.
        ModelBroken: a tensor is missing.
    """
    known, places = list(deltas), Places(layout)
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for id in recipe.named_deltas:
        delta = named_delta(id, layout.row.model_type, known)
        strengths = places.strengths(recipe.deltas[id], delta.modules)
        for parameter in delta.parameters:
            if (strength := strengths.get(parameter.rpartition(".")[0])) is not None:
                found[stored(parameter, tensors)][id] = strength
    return dict(found)


def manifest(
    layout: Layout, recipe: Recipe, tensors: Mapping[str, tuple[int, ...]], deltas: Iterable[Delta] = ()
) -> dict[str, Any]:
    """The change manifest; `tensors` are the model's parameters, name → shape; `deltas` those it has.

    {"tensors": [{"name", "part", "factor"} or {"name", "part", "factors": {"q": 0.8, "v.h3": 0.0}}
                 or {"name", "part": "tone", "matrix": [[…]]} or {"name", "part": "delta"};
                 where deltas change it also "strengths": {"id": δ}],
     "touched": N, "total": M, "parameters": those changed, "share": of all parameters (0–1),
     "eps": [{"norm", "from", "to"}]}

    Raises:
        RecipeError: the recipe does not fit the model.
        ModelBroken: a tensor is missing, or its shape contradicts the config.
    """
    recipe.check(layout)
    found = touches(layout, recipe, tensors)
    by_deltas = delta_touches(layout, recipe, tensors, deltas)
    parameters = sum(math.prod(tensors[name]) for name in by_deltas) + sum(
        math.prod(tensors[name])
        * sum(size for _, size, factor in touch.parts if factor != 1.0)
        // sum(size for _, size, _ in touch.parts)
        for name, touch in found.items()
        if name not in by_deltas
    )
    entries = {name: _entry(name, touch) for name, touch in found.items()}
    for name, strengths in by_deltas.items():
        entries.setdefault(name, {"name": name, "part": "delta"})["strengths"] = strengths
    every = sum(math.prod(shape) for shape in tensors.values())
    return {
        "tensors": list(entries.values()),
        "touched": len(entries),
        "total": len(tensors),
        "parameters": parameters,
        "share": parameters / every if every else 0.0,
        "eps": [
            {"norm": norm, "from": layout.eps_of(norm), "to": layout.eps_of(norm) * factor}
            for norm, factor in recipe.gains(layout).eps.items()
        ],
    }


def _entry(name: str, touch: Touch) -> dict[str, Any]:
    if touch.matrix is not None:
        return {"name": name, "part": "tone", "matrix": [list(row) for row in touch.matrix]}
    points = dict.fromkeys(label.partition(".")[0] for label, _, _ in touch.parts)
    entry: dict[str, Any] = {"name": name, "part": " ".join(points)}
    if touch.factor is not None:
        return {**entry, "factor": touch.factor}
    factors: dict[str, float] = {}
    for point in points:
        heads = {label: factor for label, _, factor in touch.parts if label.partition(".")[0] == point}
        if len(set(heads.values())) == 1:
            heads = {point: next(iter(heads.values()))}
        factors.update({label: factor for label, factor in heads.items() if factor != 1.0})
    return {**entry, "factors": factors}
