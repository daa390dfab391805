"""How pictures are made: checked settings and their JSON. Plain Python: knows no model, no torch.

What is None is the model's own; `settled` fills it in from the model's layout and holds the size against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from imfine.core.sampling import Range, check_keys, checked_number, is_halved
from imfine.errors import SamplingError

SCHEDULERS = ("default", "ddim", "dpmpp_2m_karras", "euler", "euler_a", "lcm")
STEPS, GUIDANCE = 20, 7.5  # where the model says nothing
MAX_SIDE = 2048
MAX_NEGATIVE = 10_000  # characters
RANGES: Mapping[str, Range] = {
    "steps": Range(int, 1, 150),
    "guidance": Range(float, 0.0, 30.0),  # 1 and below: without
    "width": Range(int, 1, MAX_SIDE),
    "height": Range(int, 1, MAX_SIDE),
    "count": Range(int, 1, 8),
    "seed": Range(int, 0, 2**32 - 1),
}


@dataclass(frozen=True)
class ImageSampling:
    """Raises SamplingError ("image.steps", …) for what is out of range, however it was made.

    guidance  at 1 and below the negative prompt is not read, and a picture costs one row instead of two
    width, height  pixels
    count  pictures a lane; picture i has the seed `seed + i` (modulo 2³²)
    seed  None: whoever accepts the run draws one and keeps it (`with_seed`)
    """

    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    scheduler: str = "default"
    width: int | None = None
    height: int | None = None
    count: int = 1
    seed: int | None = None
    previews: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.previews, bool):
            raise _error("previews", self.previews, "is not true or false", "give true or false")
        if self.scheduler not in SCHEDULERS:
            raise _error(
                "scheduler", self.scheduler, "is not a scheduler", f"use one of {', '.join(SCHEDULERS)}"
            )
        _check_negative(self.negative)
        for name, limits in RANGES.items():
            value = getattr(self, name)
            if value is None and name != "count":
                continue
            object.__setattr__(self, name, checked_number(name, value, limits, _error))

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> ImageSampling:
        """From JSON. Raises SamplingError naming the field ("image.steps"), the value and the remedy."""
        check_keys(data, "image", "is not a setting of pictures", cls, _error)
        return cls(**data)

    def with_seed(self, seed: int) -> ImageSampling:
        return replace(self, seed=seed)

    def settled(self, own: Mapping[str, Any]) -> ImageSampling:
        """Nothing left open but the seed. `own` is the `image` of a layout's JSON: sample_size, multiple_of,
        and steps and guidance where the model says something of them.

        Raises:
            SamplingError: a side is no multiple of what the model can draw; names the next that is.
        """
        size, multiple = int(own["sample_size"]), int(own.get("multiple_of", 8))
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and value % multiple:
                down = value // multiple * multiple
                up = min(down + multiple, MAX_SIDE // multiple * multiple)
                near = " or ".join(str(v) for v in dict.fromkeys((down, up)) if v > 0)
                raise _error(name, value, f"is no multiple of {multiple}", f"give {near}")
        return replace(
            self,
            steps=self.steps or own.get("steps") or STEPS,
            guidance=self.guidance if self.guidance is not None else own.get("guidance", GUIDANCE),
            width=self.width or size,
            height=self.height or size,
        )

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def own_settings(card: Any, layout: Any) -> dict[str, Any]:
    """How an image model draws when it is left alone: as its layout has it, and as its card advises."""
    return {**layout.to_json()["image"], **(getattr(card, "image", None) or {})}


def _check_negative(negative: Any) -> None:
    if not isinstance(negative, str):
        raise _error("negative", negative, "is not a text", 'give a text, or ""')
    if len(negative) > MAX_NEGATIVE:
        raise _error("negative", len(negative), "characters are too many", f"give at most {MAX_NEGATIVE}")
    if is_halved(negative):
        raise _error("negative", negative, "holds half of a surrogate pair", "give whole characters")


def _error(name: str, value: Any, fact: str, remedy: str) -> SamplingError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return SamplingError(
        f"{name} {shown} {fact}", remedy=remedy, field=f"image.{name}", value=value, setting=name
    )
