"""Prompt in, an iterator of events out, for any number of lanes in one pass. The door to this part of core.

    lanes = (Lane("base"), Lane("tuned", Recipe(attn=1.2)))
    for event in generate(model, ImageRequest(lanes, prompt="a red apple")):
        ...

One request alone is `generate`; requests to a warm model go through a `Painter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imfine.core.events import Event
from imfine.core.image.model import ImageModel
from imfine.core.image.painter import Painter
from imfine.core.image.request import ImageRequest
from imfine.core.image.sampling import ImageSampling
from imfine.core.lanes import Lane, alone

__all__ = ["ImageRequest", "ImageSampling", "Lane", "Painter", "generate"]


def generate(
    model: ImageModel, request: ImageRequest, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Notice … Phase and Preview … Picture and LaneEnd … PictureMeasures … PictureResult. A cancel stops at
    the next step: the lanes end with "cancelled", and there is no result.

    Raises:
        what Painter.join raises, and BrokenNumbers, OutOfMemory while it runs.
    """
    return alone(Painter(model), request, cancelled)
