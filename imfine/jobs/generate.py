"""Runs of kind `generate`: the run's JSON as core's request, and a model as a loop's source.

Imported late: torch comes with it, and diffusers with the first model that draws. Knows no queue and no
server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import imfine.core.libraries  # noqa: F401 (before torch)
from imfine.core import memory
from imfine.core.events import Phase
from imfine.core.image.request import ImageRequest
from imfine.core.image.sampling import ImageSampling
from imfine.core.lanes import Batch, Lane, pair
from imfine.core.models import catalog, load
from imfine.core.models.known import STARTERS
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.decoder import Decoder
from imfine.core.text.prompts import Message
from imfine.core.text.request import TextRequest
from imfine.jobs.client import Claim
from imfine.jobs.live import Live, Submission
from imfine.settings import Settings


@dataclass(frozen=True)
class Model:
    """A model of either kind as a loop's source. Equal in name, revision and dtype: the same loop."""

    name: str
    revision: str | None
    dtype: str | None
    at: Settings = field(compare=False, repr=False)

    def memory(self) -> int:
        card = catalog.find(self.name, self.at, any_folder=False, revision=self.revision)
        if card.parameters is None or card.architecture is None:
            return card.memory_needed or 0
        dtype = self.dtype or memory.default_dtype()
        return memory.needed(card.parameters, catalog.layout_of(card), dtype)

    def open(self) -> Iterator[Phase | Batch]:
        loading = load.load(
            self.name, revision=self.revision, dtype=self.dtype, any_folder=False, settings=self.at
        )
        for step in loading:
            if isinstance(step, Phase):
                yield step
            elif isinstance(step, load.LoadedModel):
                yield Decoder(step)
            else:
                from imfine.core.image.painter import Painter  # diffusers

                yield Painter(step)


def submit(live: Live, claim: Claim, at: Settings) -> Submission:
    asked = claim.request
    source = Model(asked["model"], asked.get("revision"), asked.get("dtype"), at)
    return live.submit(source, claim.run, core_request(asked))


def preload(live: Live, at: Settings) -> None:
    """Makes the first starter that is on this disk answer once, so that nobody waits for its first answer."""
    for starter in STARTERS:
        if catalog.find(starter.id, at, any_folder=False).ready:
            request = TextRequest(pair(None, {"attn": 1.1}), "Hello", Sampling(greedy=True, max_new_tokens=2))
            live.submit(Model(starter.id, None, None, at), "warm-up", request)
            return


def core_request(asked: Mapping[str, Any]) -> TextRequest | ImageRequest:
    """A run's request, which the server has checked, as core takes it. One with `image` is for pictures."""
    lanes = tuple(Lane(each["name"], Recipe.parse(each["recipe"])) for each in asked["lanes"])
    if asked.get("image") is not None:
        return ImageRequest(lanes, asked["prompt"], ImageSampling.parse(asked["image"]))
    messages = asked.get("messages")
    prompt = asked["prompt"] if messages is None else tuple(Message(**each) for each in messages)
    return TextRequest(lanes, prompt, Sampling.parse(asked["sampling"]), asked.get("top", 0))
