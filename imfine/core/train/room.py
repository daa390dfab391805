"""Whether a plan finds room, and which smaller one would. Plain Python: `fit` knows how much one needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from imfine.core import memory
from imfine.core.families import ImageLayout, Layout
from imfine.core.quantised import available
from imfine.core.train.plan import Plan
from imfine.errors import OutOfMemory

COUNTS = ("parts", "layers", "blocks", "method", "rank", "dropout", "batch", "length", "resolution", "prior",
          "ema", "checkpointing", "dtype")  # fmt: skip
NAMES = {"lora": "LoRA", "qlora": "QLoRA"}


@dataclass(frozen=True)
class Need:
    """Bytes. `weights` is all of the model; `working` is what a step holds for a moment: logits, the largest
    intermediate gradients."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int
    together: int  # at the worst moment: gradients grow as activations go

    def to_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Room:
    """What a plan needs where `have` bytes are free. Where it does not fit: the fields of the plan to change
    so that it does (None: nothing helps), and that in words."""

    need: Need
    have: int
    change: Mapping[str, Any] | None = None
    remedy: str | None = None

    @property
    def fits(self) -> bool:
        return self.need.together <= self.have

    def check(self, name: str) -> None:
        """Raises: OutOfMemory with need, have and a plan that would fit."""
        if not self.fits:
            need, have = self.need.together, self.have
            raise OutOfMemory(
                f"training {name} so needs {need / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are free",
                remedy=self.remedy or "",
                field="plan",
                need=need,
                have=have,
                change=dict(self.change or {}),
            )


def free() -> tuple[int, str]:
    """(bytes, device) that training would find on this machine."""
    if gpus := memory.gpus():
        return gpus[0].free, "cuda"
    return memory.available(), "cpu"


def room(plan: Plan, layout: Layout, have: int, need: Callable[[Plan], Need]) -> Room:
    """`need` is asked for the plan, and for smaller ones until one fits."""
    found = need(plan)
    if found.together <= have:
        return Room(found, have)
    for words, smaller in _smaller(plan, layout):
        other = need(smaller).together
        if other <= have:
            return Room(found, have, changes(plan, smaller), f"{words} ({other / 1e9:.1f} GB)")
    return Room(found, have, None, "choose a smaller model, or free memory")


def changes(plan: Plan, other: Plan) -> dict[str, Any]:
    """The fields of `other` that differ, as JSON."""
    before = plan.to_json()
    return {name: value for name, value in other.to_json().items() if before[name] != value}


def bare(plan: Plan) -> Plan:
    """A plan with nothing but what its memory depends on: plans that are alike in it need the same."""
    kept = {name: getattr(plan, name) for name in COUNTS}
    return Plan(**kept, accumulation=min(2, plan.accumulation))


def lighter(plan: Plan, layout: Layout | None) -> dict[str, Any]:
    """What to change next in a plan that ran out of memory; what learns the same comes first. Without the
    layout the last resort is to learn less."""
    if plan.batch > 1:
        return {"batch": plan.batch // 2, "accumulation": plan.accumulation * 2}
    if not plan.checkpointing:
        return {"checkpointing": True}
    if plan.method == "full":
        return {"method": "lora"}
    return _less(plan, layout, 2) if layout is not None else {"parts": ["attn"]}


def in_words(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in change.items())


def _less(plan: Plan, layout: Layout, share: int) -> dict[str, int]:
    """A field that shrinks what a row holds: shorter sequences, smaller pictures."""
    if not isinstance(layout, ImageLayout):
        return {"length": max(8, plan.tokens(layout) // share)}
    multiple = layout.multiple_of
    return {"resolution": max(multiple, plan.pixels(layout) // share // multiple * multiple)}


def _smaller(plan: Plan, layout: Layout) -> list[tuple[str, Plan]]:
    """What learns the same first, then what learns less."""
    one = replace(plan, batch=1, accumulation=min(1024, plan.batch * plan.accumulation))
    light = replace(one, checkpointing=True)
    less = _less(plan, layout, 2 if layout.kind == "image" else 4)
    short = replace(light, **less)  # type: ignore[arg-type]
    slim = "qlora" if plan.method == "qlora" else "lora"
    lora = replace(light, method=slim)
    tiny = replace(short, method=slim, dtype="bfloat16")
    steps = f"batch 1 with {one.accumulation} accumulated"
    quantised = []
    if layout.kind == "text" and available():
        quantised.append((f"choose QLoRA, {steps} and checkpointing", replace(light, method="qlora")))
    what, size = next(iter(less.items()))
    return [
        (f"choose {steps}", one),
        (f"choose {steps} and checkpointing", light),
        (f"choose {NAMES[slim]}, {steps} and checkpointing", lora),
        *quantised,
        (f"choose a {what} of {size}, {steps} and checkpointing", short),
        (f"choose {NAMES[slim]} in bfloat16, a {what} of {size}, {steps} and checkpointing", tiny),
    ]
