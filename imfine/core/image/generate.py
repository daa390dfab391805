"""Prompt in, an iterator of events out, for any number of lanes in one pass. The door to this part of core.

    lanes = (Lane("base"), Lane("tuned", Recipe(attn=1.2)))
    for event in generate(model, ImageRequest(lanes, prompt="a red apple")):
        ...

One request alone is `generate`, and for original and tuned `compare`; requests to a warm model go through a
`Painter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from imfine.core.events import Event
from imfine.core.image.model import ImageModel
from imfine.core.image.painter import Painter
from imfine.core.image.request import ImageRequest
from imfine.core.image.sampling import ImageSampling
from imfine.core.lanes import Lane, alone, pair
from imfine.core.recipe import Recipe
from imfine.errors import Invalid

__all__ = ["ImageRequest", "ImageSampling", "Lane", "Painter", "compare", "generate"]


def generate(
    model: ImageModel, request: ImageRequest, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Notice … Phase and Preview … Picture and LaneEnd … PictureMeasures … PictureResult. A cancel stops at
    the next step: the lanes end with "cancelled", and there is no result.

    Raises:
        what Painter.join raises, and BrokenNumbers, OutOfMemory while it runs.
    """
    return alone(Painter(model), request, cancelled)


def compare(
    model: ImageModel,
    prompt: str,
    *,
    recipe: Recipe | Mapping[str, Any] | None = None,
    sampling: ImageSampling | Mapping[str, Any] | None = None,
    **knobs: Any,
) -> Iterator[Event]:
    """The original's and the tuned model's pictures, step by step and side by side.

    `knobs` are a recipe's parts (eps, attn, mlp, tone, style, bands, points) and settings of ImageSampling
    (steps, guidance, seed, …). Lane 0 is the original, lane 1 the tuned model.
    Raises: RecipeError, SamplingError, Invalid, OutOfMemory.
    """
    settings = {f.name: knobs.pop(f.name) for f in fields(ImageSampling) if f.name in knobs}
    if sampling is not None and settings:
        raise Invalid(
            f"compare got sampling and {', '.join(settings)}",
            remedy="give one or the other",
            field="sampling",
        )
    if not isinstance(sampling, ImageSampling):
        sampling = ImageSampling.parse(settings if sampling is None else sampling)
    return generate(model, ImageRequest(pair(recipe, knobs), prompt, sampling))
