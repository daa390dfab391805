"""δ of each module: a delta's knob, times its band of the layer and part. Plain Python: names and numbers."""

from __future__ import annotations

from collections.abc import Iterable

from imfine.core.deltas.knob import DeltaKnob
from imfine.core.families import Layout
from imfine.core.train.plan import PARTS


class Places:
    """Where a model's modules are in its equalizer: in which band, and of which part."""

    def __init__(self, layout: Layout) -> None:
        self._places: dict[str, tuple[int, str]] = {}
        self._blocks: dict[str, int] = {}  # of image models: what lies beside a band's norms is in the band
        points = {point: part for part, names in PARTS.items() for point in names}
        for layer, band in enumerate(layout.bands):
            for module, weight in band.matrices:
                self._places[module] = layer, points[weight.points[0].rstrip("12")]
            if layout.kind == "image":
                self._blocks.update({norm.rpartition(".")[0]: layer for norm in band.norms})

    def of(self, module: str) -> tuple[int | None, str]:
        """(band, part or ""). A block's projections belong to its attention; its convolutions to no part."""
        if module in self._places:
            return self._places[module]
        block = module.rpartition(".")[0]
        layer = self._blocks.get(block)
        return layer, "attn" if layer is not None and ".attentions." in block else ""

    def part(self, module: str) -> str:
        return self.of(module)[1]

    def strengths(self, knob: DeltaKnob, modules: Iterable[str]) -> dict[str, float]:
        """δ of each of `modules` where it is not 0. What is in no band and no part follows the knob alone."""
        found = {}
        for module in modules:
            layer, part = self.of(module)
            factor = 1.0
            if layer is not None and part in knob.bands:
                factor = knob.bands[part][layer]
            if (strength := knob.strength * factor) != 0.0:
                found[module] = strength
        return found
