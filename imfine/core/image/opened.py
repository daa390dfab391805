"""A request while the painter has it: its pictures lane by lane, what is kept, a clock. Knows no UNet.

Lanes with the same recipe and prompt share their pictures: they would be the same.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from imfine.core import memory
from imfine.core.events import Event, LaneEnd, Picture
from imfine.core.image import schedulers
from imfine.core.image.encode import check_words, cut_notice
from imfine.core.image.kept import Finished
from imfine.core.image.model import ImageModel
from imfine.core.image.request import ImageRequest
from imfine.core.image.sampling import own_settings
from imfine.core.lanes import check_lanes
from imfine.core.models.languages import language_notice
from imfine.core.recipe import Recipe
from imfine.errors import OutOfMemory
from imfine.version import VERSION


@dataclass(eq=False)
class Series:
    """The pictures of one recipe and prompt. `lanes` show them."""

    recipe: Recipe
    prompt: str
    lanes: list[int]
    names: list[str]
    pictures: dict[int, Finished] = field(default_factory=dict)  # by index
    kept: bool = True  # every picture was told again, none painted
    first_ms: float = 0.0
    ended: bool = False


class Opened:
    def __init__(self, request_id: str, request: ImageRequest, model: ImageModel) -> None:
        sampling = request.sampling.settled(own_settings(model.card, model.layout))
        if sampling.seed is None:
            sampling = sampling.with_seed(secrets.randbelow(2**32))
        self.id, self.request, self.sampling, self.model = request_id, request, sampling, model
        self.series: list[Series] = []
        self.timing: dict[str, float] = {}
        self._joined = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it joined."""
        return time.perf_counter() - self._joined

    @property
    def seed(self) -> int:
        assert self.sampling.seed is not None
        return self.sampling.seed

    def seed_of(self, index: int) -> int:
        return (self.seed + index) % 2**32

    def missing(self) -> list[tuple[Series, int]]:
        return [(s, i) for s in self.series for i in range(self.sampling.count) if i not in s.pictures]

    def key(self, series: Series, index: int) -> Hashable | None:
        """Under which an original's picture is kept: neither its neighbours nor their count matter."""
        if not series.recipe.is_neutral:
            return None
        alone = replace(self.sampling, seed=self.seed_of(index), count=1, previews=True)
        return (self.model.checksum, self.model.dtype, series.names[0], series.prompt, alone)

    def says(self, series: Series, index: int) -> dict[str, Any]:
        """What the PNG carries: enough to paint this very picture again, alone."""
        alone = replace(self.sampling, seed=self.seed_of(index), count=1, previews=True)
        return {
            "model": self.model.id,
            "revision": self.model.revision,
            "checksum": self.model.checksum,
            "prompt": series.prompt,
            "recipe": series.recipe.to_json(),
            "image": alone.to_json(),
            "seed": self.seed_of(index),
            "lane": series.names[0],
            "version": VERSION,
        }

    def take(self, series: Series, picture: Finished, *, again: bool = False) -> list[Event]:
        """A picture is there: it is told for each of its lanes, and after the last one their ends."""
        if not series.pictures:
            series.first_ms = self.seconds * 1e3
        series.pictures[picture.index] = picture
        series.kept = series.kept and again
        height, width = picture.pixels.shape[:2]
        told: list[Event] = [
            Picture(
                lane,
                picture.index,
                picture.seed,
                width,
                height,
                picture.sha256,
                len(picture.png),
                picture.png,
            )
            for lane in series.lanes
        ]
        if len(series.pictures) == self.sampling.count:
            told += self.ends(series, "stop")
        return told

    def ends(self, series: Series, reason: Any) -> list[Event]:
        if series.ended:
            return []
        series.ended = True
        painted = len(series.pictures)
        speed = painted / max(self.seconds, 1e-9)
        first = series.first_ms if painted else self.seconds * 1e3
        return [LaneEnd(lane, reason, painted, speed, first) for lane in series.lanes]

    def told_again(self) -> list[Event]:
        """The pictures of the original that are kept."""
        events: list[Event] = []
        for series, index in self.missing():
            key = self.key(series, index)
            if key is not None and (found := self.model.kept.pictures.find(key)) is not None:
                events += self.take(series, replace(found, index=index), again=True)
        return events


def open_request(model: ImageModel, request_id: str, request: ImageRequest) -> tuple[Opened, list[Event]]:
    """Checks a request; what can be told of it before anything is computed."""
    check_lanes(request.lanes)
    opened = Opened(request_id, request, model)
    distinct: dict[tuple[Recipe, str], Series] = {}
    notices: list[Event] = []
    for i, lane in enumerate(request.lanes):
        lane.recipe.check(model.layout)
        words = check_words(request.prompt if lane.prompt is None else lane.prompt, "prompt")
        series = distinct.setdefault((lane.recipe, words), Series(lane.recipe, words, [], []))
        series.lanes.append(i)
        series.names.append(lane.name)
    opened.series = list(distinct.values())
    schedulers.make(opened.sampling, model.scheduler_config, "cpu")  # what it refuses is told now
    for words in dict.fromkeys(series.prompt for series in opened.series):
        for notice in (language_notice(model.card, words), cut_notice(model, words, "prompt")):
            if notice is not None:
                notices.append(notice)
    guided = (opened.sampling.guidance or 0) > 1
    if guided and (cut := cut_notice(model, opened.sampling.negative, "image.negative")) is not None:
        notices.append(cut)
    again = opened.told_again()
    _check_memory(opened)
    return opened, [*notices, *again]


def _check_memory(opened: Opened) -> None:
    model, sampling = opened.model, opened.sampling
    pictures = len(opened.missing())
    if not pictures:
        return
    guided = (sampling.guidance or 0) > 1

    def needed(count: int) -> int:
        assert sampling.width is not None
        assert sampling.height is not None
        return memory.painting(
            model.layout, model.dtype, count, sampling.width, sampling.height, guided=guided
        )

    need = needed(pictures)
    on_gpu = model.device.startswith("cuda")
    have = torch.cuda.mem_get_info(model.device)[0] if on_gpu else memory.available()
    if need > have:
        size = f"{sampling.width} × {sampling.height}"
        one = needed(1)
        remedy = "ask for fewer pictures or lanes" if one <= have else "ask for a smaller picture"
        raise OutOfMemory(
            f"{pictures} pictures of {size} need {need / 1e9:.1f} GB, {have / 1e9:.1f} are free",
            remedy=remedy,
            field="image.count" if one <= have else "image.width",
            value=pictures if one <= have else sampling.width,
            need=need,
            have=have,
        )
