"""Settings are checked however they come, and what is left open is the model's."""

from __future__ import annotations

from typing import Any

import pytest

from imfine.core.image.sampling import ImageSampling
from imfine.errors import Invalid, SamplingError

OWN = {"sample_size": 64, "multiple_of": 16}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 10_000),
        ("steps", 0),
        ("steps", -1),
        ("steps", 1.5),
        ("steps", True),
        ("steps", 2**63),
        ("steps", 10**4000),
        ("guidance", float("nan")),
        ("guidance", float("inf")),
        ("guidance", 30.5),
        ("guidance", -0.1),
        ("guidance", "7"),
        ("width", 4096),
        ("count", 9),
        ("count", None),
        ("seed", 2**32),
        ("seed", -1),
        ("scheduler", "heun"),
        ("scheduler", ["ddim"]),
        ("negative", None),
        ("negative", "x" * 10_001),
        ("negative", "\ud800"),
        ("previews", 1),
        ("size", 64),
    ],
)
def test_what_is_out_of_range_names_its_field(name: str, value: Any) -> None:
    with pytest.raises(SamplingError) as caught:
        ImageSampling.parse({name: value})
    assert caught.value.field == f"image.{name}"
    assert caught.value.remedy
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_only_an_object_is_settings(data: Any) -> None:
    with pytest.raises(SamplingError) as caught:
        ImageSampling.parse(data)
    assert caught.value.field == "image"


def test_what_is_left_open_is_the_models() -> None:
    settled = ImageSampling().settled(OWN)
    assert (settled.steps, settled.guidance, settled.width, settled.height) == (20, 7.5, 64, 64)
    starter = ImageSampling(width=32).settled({**OWN, "guidance": 3.0, "steps": 12})
    assert (starter.steps, starter.guidance, starter.width, starter.height) == (12, 3.0, 32, 64)
    assert ImageSampling(guidance=0).settled(OWN).guidance == 0


@pytest.mark.parametrize(
    ("side", "remedy"), [(65, "give 64 or 80"), (1, "give 16"), (2047, "give 2032 or 2048")]
)
def test_a_side_that_is_no_multiple_names_its_neighbours(side: int, remedy: str) -> None:
    with pytest.raises(Invalid) as caught:
        ImageSampling(height=side).settled(OWN)
    assert caught.value.field == "image.height"
    assert caught.value.remedy == remedy


def test_json_and_back() -> None:
    made = ImageSampling(negative="초록", steps=3, guidance=1, scheduler="lcm", seed=9)
    assert ImageSampling.parse(made.to_json()) == made
