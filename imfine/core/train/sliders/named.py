"""A knob learned by names: a model's name, a name for the knob. Knows settings and folders."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from imfine.core.deltas.keeping import check_name
from imfine.core.events import Phase
from imfine.core.models.catalog import layout_of
from imfine.core.models.folders import ADAPTERS
from imfine.core.models.local import read_local
from imfine.core.train.events import ProbeResult, SliderResult, TrainStep
from imfine.core.train.named import Source, found_source
from imfine.core.train.room import Need
from imfine.core.train.sliders.learn import learn
from imfine.core.train.sliders.learner import check_fits
from imfine.core.train.sliders.probe import probe_slider
from imfine.core.train.sliders.slider import Slider
from imfine.settings import settings as default_settings


def learn_named(
    model: str, slider: Slider, name: str, label: Mapping[str, str] | None = None
) -> Iterator[Phase | TrainStep | SliderResult]:
    """Learns a knob for a model and keeps it among the home's adapters. Raises: what `learn` raises."""
    parent = yield from _found(model, slider, name)
    yield from learn(parent, slider, default_settings().home / ADAPTERS / name, label=label)


def estimate_slider_named(
    model: str, slider: Slider, name: str
) -> Iterator[Phase | tuple[Need, ProbeResult]]:
    """What learning it would take, by shapes and some steps that are thrown away; it comes last."""
    parent = yield from _found(model, slider, name)
    need = check_fits(read_local(parent.path), slider, parent.id)
    for each in probe_slider(parent, slider):
        yield (need, each) if isinstance(each, ProbeResult) else each


def _found(model: str, slider: Slider, name: str) -> Generator[Phase, None, Source]:
    settings = default_settings()
    check_name(name, settings)
    return (yield from found_source(model, settings, lambda card: slider.check(layout_of(card), card.id)))
