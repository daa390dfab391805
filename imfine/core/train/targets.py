"""Which matrices of a model a plan trains, and how many numbers that is. Plain Python: names and shapes only.

The one place of training that reads the table of families.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from imfine.core.families import Layout, name_in, stored
from imfine.core.train.plan import PARTS, TEXT_ENCODER, Plan


@dataclass(frozen=True)
class Target:
    """A matrix to train. `module` is its name in the loaded model, `part` is attn or mlp, `layer` the number
    of its band."""

    module: str
    part: str
    layer: int


@dataclass(frozen=True)
class Trainable:
    """What a plan trains: numbers and tensors; of how many in the model; and the numbers' share (0–1)."""

    parameters: int
    tensors: int
    all_parameters: int
    all_tensors: int
    share: float


def targets(layout: Layout, plan: Plan) -> list[Target]:
    """Every matrix of the plan's parts and layers or blocks, in the model's order.

    Raises: Invalid when the plan does not fit the model.
    """
    plan.check(layout)
    return [
        Target(module, part, i)
        for i, band in enumerate(layout.bands)
        if _asked(plan, layout, i, band.name)
        for module, weight in band.matrices
        for part in plan.parts
        if all(not set(layout.names_of(point)).isdisjoint(PARTS[part]) for point in weight.points)
    ]


def _asked(plan: Plan, layout: Layout, i: int, band: str) -> bool:
    if layout.kind == "image":
        return band != TEXT_ENCODER if plan.blocks is None else band in plan.blocks
    return plan.layers is None or i in plan.layers


def trainable(layout: Layout, shapes: Mapping[str, tuple[int, ...]], plan: Plan) -> Trainable:
    """Counted from `shapes`, the model's parameters by their stored names.

    Raises: Invalid when the plan does not fit the model, ModelBroken when a matrix is missing.
    """
    numbers = tensors = 0
    for target in targets(layout, plan):
        shape = shapes[stored(f"{target.module}.weight", shapes)]
        bias = name_in(shapes, f"{target.module}.bias")
        if plan.method == "full":
            sizes = [math.prod(shape)] + ([math.prod(shapes[bias])] if bias else [])
        else:
            into, out = shape if layout.transposed else shape[::-1]
            sizes = [plan.rank * into, plan.rank * out] + ([out] if plan.method == "dora" else [])
        numbers += sum(sizes)
        tensors += len(sizes)
    whole = sum(map(math.prod, shapes.values()))
    return Trainable(numbers, tensors, whole, len(shapes), numbers / whole)
