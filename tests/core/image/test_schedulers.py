"""A model's own scheduler is taken, whichever it is, or refused with those that can be chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imfine.core.events import PictureResult
from imfine.core.image import schedulers
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.errors import ModelRefused

BETA = {"_class_name": "EulerDiscreteScheduler", "use_beta_sigmas": True}


def drawn(model: Any, config: dict[str, Any], scheduler: str = "default") -> Any:
    model = replace(model, scheduler_config={**model.scheduler_config, **config})
    sampling = ImageSampling(seed=5, steps=3, scheduler=scheduler)
    return list(generate(model, ImageRequest((Lane("base"),), "a red apple", sampling)))[-1]


@pytest.mark.parametrize("name", sorted(schedulers.OWN))
def test_its_own_draws(made: Any, name: str) -> None:
    assert isinstance(drawn(made("sd1"), {"_class_name": name}), PictureResult)


@pytest.mark.parametrize("config", [*({"_class_name": name} for name in sorted(schedulers.REFUSED)), BETA])
def test_one_that_is_not_taken_names_those_that_are(made: Any, config: dict[str, Any]) -> None:
    with pytest.raises(ModelRefused) as caught:
        drawn(made("sd1"), config)
    assert caught.value.field == "image.scheduler"
    assert caught.value.remedy == f"choose one of {', '.join(schedulers.CLASSES)}"


@pytest.mark.parametrize("scheduler", sorted(schedulers.CLASSES))
def test_the_remedy_helps(made: Any, scheduler: str) -> None:
    odd = {**BETA, "use_exponential_sigmas": scheduler == "dpmpp_2m_karras"}
    assert isinstance(drawn(made("sd1"), odd, scheduler), PictureResult)
