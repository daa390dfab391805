"""A knob learned by names: a model's name, a name for the knob. Knows settings and folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imfine.core.deltas.keeping import check_name
from imfine.core.events import Phase
from imfine.core.models.catalog import layout_of
from imfine.core.models.folders import ADAPTERS
from imfine.core.train.events import SliderResult, TrainStep
from imfine.core.train.learn import learn
from imfine.core.train.named import found_source
from imfine.core.train.slider import Slider
from imfine.settings import settings as default_settings


def learn_named(
    model: str, slider: Slider, name: str, label: Mapping[str, str] | None = None
) -> Iterator[Phase | TrainStep | SliderResult]:
    """Learns a knob for a model and keeps it among the home's adapters. Raises: what `learn` raises."""
    settings = default_settings()
    check_name(name, settings)
    parent = yield from found_source(model, settings, lambda card: slider.check(layout_of(card), card.id))
    yield from learn(parent, slider, settings.home / ADAPTERS / name, label=label)
