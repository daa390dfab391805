"""Names of an image model's bands, from its UNet's config alone, as the community counts them. Plain Python.

IN00 is conv_in; then each layer and each downsampler of the down blocks; M00 the middle; OUT each layer of
the up blocks; TE the text encoder(s). Knows no tensor and no recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def band_names(unet: Mapping[str, Any]) -> tuple[str, ...]:
    """SD 1.x: IN00 … IN11, M00, OUT00 … OUT11, TE. SDXL: IN00 … IN08, M00, OUT00 … OUT08, TE."""
    blocks = len(unet["down_block_types"])
    given = unet.get("layers_per_block", 2)
    layers = [given] * blocks if isinstance(given, int) else list(given)
    into = 1 + sum(layers) + blocks - 1  # the last block has no downsampler
    out = sum(layers) + blocks  # an up block has one layer more
    return (*(f"IN{i:02}" for i in range(into)), "M00", *(f"OUT{i:02}" for i in range(out)), "TE")
