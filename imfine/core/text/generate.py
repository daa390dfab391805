"""Prompt in, an iterator of events out, for any number of lanes in one pass. The door to this part of core.

    lanes = (Lane("base"), Lane("tuned", Recipe(attn=1.2)))
    for event in generate(model, TextRequest(lanes, prompt="Hi")):
        ...

One request alone is `generate`; requests that share a warm model's batch go through a `Decoder`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from imfine.core.events import Event
from imfine.core.lanes import Lane, alone
from imfine.core.text.decoder import Decoder
from imfine.core.text.prompts import Message
from imfine.core.text.request import TextRequest

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel

__all__ = ["Decoder", "Lane", "Message", "TextRequest", "generate"]


def generate(
    model: LoadedModel, request: TextRequest, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Tokens … LaneEnd (per lane) … Measures (per lane) … Result. A cancel stops at the next token: the lanes
    end with "cancelled", and there is no result.

    Raises:
        what Decoder.join raises, and BrokenNumbers, OutOfMemory while it runs.
    """
    return alone(Decoder(model, max_rows=len(request.lanes)), request, cancelled)
