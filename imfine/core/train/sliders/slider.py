"""What a knob shall learn: two opposite prompts, what it is for, and how; and whose one is that was learned.

Plain Python: `learn` learns it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from imfine.core.families import Layout
from imfine.core.models.folders import FACTS
from imfine.core.sampling import Range, checked_number
from imfine.core.train.events import SliderResult
from imfine.core.train.plan import Plan, check_prompt
from imfine.errors import Invalid, OutOfMemory

MAX_NEUTRAL = 64
RANGES: Mapping[str, Range] = {
    "rank": Range(int, 1, 128),
    "steps": Range(int, 1, 100_000),
    "batch": Range(int, 1, 256),
    "lr": Range(float, 1e-9, 0.1),
    "eta": Range(float, 0.1, 20.0),
    "count": Range(int, 1, 1000),
    "seed": Range(int, 0, 2**32 - 1),
}


@dataclass(frozen=True)
class Slider:
    """What a knob shall learn. Raises: Invalid, naming the field.

    plus, minus  what it turns to, and away from
    neutral      what it is for; none: anything (the empty prompt)
    eta          how far 1 goes, in differences of plus and minus
    count        pictures of the neutral prompts that the model draws to learn on
    """

    plus: str
    minus: str
    neutral: tuple[str, ...] = ()
    rank: int = 4
    steps: int = 200
    batch: int = 4
    lr: float = 1e-3
    eta: float = 2.0
    count: int = 32
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "neutral", tuple(self.neutral))
        for name in ("plus", "minus"):
            check_prompt(name, getattr(self, name), "slider.")
        for i, prompt in enumerate(self.neutral):
            check_prompt(f"neutral.{i}", prompt, "slider.")
        if len(self.neutral) > MAX_NEUTRAL:
            fact = "prompts are too many"
            raise _refused("neutral", len(self.neutral), fact, f"give at most {MAX_NEUTRAL}")
        if self.plus.strip() == self.minus.strip():
            raise _refused("minus", self.minus, "is what plus says", "give its opposite")
        for name, limits in RANGES.items():
            object.__setattr__(self, name, checked_number(name, getattr(self, name), limits, _refused))

    def check(self, layout: Layout, model: str) -> None:
        """Raises: Invalid for a model that draws nothing."""
        if layout.kind != "image":
            raise Invalid(
                f"{model} writes text; a knob is learned for pictures",
                remedy="choose an image model",
                field="model",
                value=model,
            )

    def too_much(self, fact: str) -> OutOfMemory:
        """The error for a memory that did not suffice, as `fact` says, with what takes less."""
        smaller = self.batch // 2
        return OutOfMemory(
            fact,
            remedy=f"take a batch of {smaller}"
            if smaller
            else "choose a smaller model, or end other programs",
            field="slider.batch",
            value=self.batch,
            change={"batch": smaller} if smaller else {},
        )

    @property
    def prompts(self) -> list[tuple[str, str, str]]:
        """(neutral, plus, minus) of each neutral prompt."""
        return [
            (each, f"{each}, {self.plus}", f"{each}, {self.minus}") if each else ("", self.plus, self.minus)
            for each in self.neutral or ("",)
        ]

    @property
    def asked(self) -> list[str]:
        """What the model draws to learn on; picture i is of neutral prompt i modulo their number."""
        neutral = self.neutral or ("",)
        return [neutral[i % len(neutral)] for i in range(self.count)]

    @property
    def plan(self) -> Plan:
        return Plan(
            rank=self.rank, alpha=float(self.rank), steps=self.steps, batch=self.batch, lr=self.lr,
            weight_decay=0.0, warmup=0.05, seed=self.seed, dtype=self.dtype, prior_count=self.count,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}


def learned(out_dir: Path, run: str) -> SliderResult | None:
    """What `run` has made, where it died before it could tell; None: it has made nothing."""
    try:
        facts = json.loads((out_dir / FACTS).read_text("utf-8"))
        return SliderResult(path=str(out_dir), **facts["numbers"]) if facts["run"] == run else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refused(name: str, value: Any, fact: str, remedy: str) -> Invalid:
    return Invalid(f"{name} {value!r:.200} {fact}", remedy=remedy, field=f"slider.{name}", value=value)
