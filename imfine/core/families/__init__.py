"""ONE table: architecture → where its bands, points and norms are. Plain Python.

Knows names and sizes only: no tensor, no recipe, no torch. A new architecture is a new row in text.py or
image.py, never an `if` elsewhere: recipes, manifests, the live equalizer and the bake all read the layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imfine.core.families.image import IMAGE, ImageFamily, ImageLayout, image_layout
from imfine.core.families.layout import (
    KNOBS,
    POINTS,
    SIGNED,
    Layout,
    Segment,
    Weight,
    name_in,
    stored,
    tensor_name,
)
from imfine.core.families.text import TEXT, Family, TextLayout, text_layout
from imfine.errors import UnsupportedArchitecture

__all__ = [
    "FAMILIES",
    "KNOBS",
    "POINTS",
    "SIGNED",
    "Family",
    "ImageFamily",
    "ImageLayout",
    "Layout",
    "Segment",
    "TextLayout",
    "Weight",
    "family_for",
    "layout",
    "name_in",
    "stored",
    "tensor_name",
]

FAMILIES: tuple[Family | ImageFamily, ...] = (*TEXT, *IMAGE)


def family_for(config: Mapping[str, Any]) -> Family | ImageFamily:
    """The row for a config.json, or for an image model's configs (`_class_name` names its pipeline).

    Raises:
        UnsupportedArchitecture: the table has no row for it.
    """
    named = config.get("architectures")
    architecture = named[0] if isinstance(named, list) and named else config.get("_class_name")
    for row in FAMILIES:
        if architecture == row.architecture or (
            architecture is None and config.get("model_type") == row.model_type
        ):
            return row
    asked = str(architecture or config.get("model_type") or "a config without an architecture")[:100]
    supported = [row.architecture for row in FAMILIES]
    raise UnsupportedArchitecture(
        f"{asked} is not supported",
        remedy=f"choose a model of one of {', '.join(supported)}",
        field="model",
        value=asked,
        architecture=asked,
        supported=supported,
    )


def layout(config: Mapping[str, Any], norm_eps: Mapping[str, float] | None = None) -> Layout:
    """Everything about one model from its config; `norm_eps`: what its imfine.json says, if it has one.

    Raises:
        UnsupportedArchitecture: the table has no row for it.
        ModelBroken: a size is missing or no positive whole number, an eps no positive number.
    """
    row = family_for(config)
    if isinstance(row, ImageFamily):
        return image_layout(row, config, norm_eps)
    return text_layout(row, config, norm_eps)
