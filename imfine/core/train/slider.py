"""A learned knob: the direction between two opposite prompts, as a LoRA on the UNet (Concept Sliders, arXiv
2311.12092).

No data: the model draws what the knob shall be for, and what it says of these pictures at any noise is

    turned to +1:  says(neutral) + η · (says(plus) − says(minus))
    turned to −1:  says(neutral) − η · (says(plus) − says(minus))

The two sides are learned in turn, by one adapter whose sign is turned, so 0 is the model itself. Says: the
noise or the velocity, whichever the model predicts; the one is the other times a number of the timestep.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from imfine.core.deltas.knob import HIGH, LOW
from imfine.core.events import Phase
from imfine.core.families import ImageLayout
from imfine.core.models.folders import FACTS, locked, staged, sync
from imfine.core.models.load_image import read_tokenizers
from imfine.core.models.local import read_local
from imfine.core.sampling import Range, checked_number
from imfine.core.train.checkpoint import told_when_full
from imfine.core.train.events import TrainStep
from imfine.core.train.learner import Parent
from imfine.core.train.optimizer import adamw
from imfine.core.train.picture_adapter import PEFTS, write_adapter
from imfine.core.train.picture_learner import PictureLearner, open_pictures
from imfine.core.train.picture_lesson import generator, token_ids
from imfine.core.train.picture_samples import latents_of
from imfine.core.train.plan import Plan, check_prompt
from imfine.core.train.result import free
from imfine.core.train.schedule import learning_rate
from imfine.errors import Invalid
from imfine.version import VERSION

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
            check_prompt(name, getattr(self, name), "")
        for i, prompt in enumerate(self.neutral):
            check_prompt(f"for.{i}", prompt, "")
        if len(self.neutral) > MAX_NEUTRAL:
            raise _refused("for", len(self.neutral), "prompts are too many", f"give at most {MAX_NEUTRAL}")
        if self.plus.strip() == self.minus.strip():
            raise _refused("minus", self.minus, "is what plus says", "give its opposite")
        for name, limits in RANGES.items():
            object.__setattr__(self, name, checked_number(name, getattr(self, name), limits, _refused))

    @property
    def prompts(self) -> list[tuple[str, str, str]]:
        """(neutral, plus, minus) of each neutral prompt."""
        return [
            (each, f"{each}, {self.plus}", f"{each}, {self.minus}") if each else ("", self.plus, self.minus)
            for each in self.neutral or ("",)
        ]

    @property
    def plan(self) -> Plan:
        return Plan(
            rank=self.rank, alpha=float(self.rank), steps=self.steps, batch=self.batch, lr=self.lr,
            weight_decay=0.0, warmup=0.05, seed=self.seed, dtype=self.dtype, prior_count=self.count,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}


def _refused(name: str, value: Any, fact: str, remedy: str) -> Invalid:
    return Invalid(f"{name} {value!r:.200} {fact}", remedy=remedy, field=name, value=value)


@dataclass(frozen=True)
class SliderResult:
    """A knob that was learned. `path`: its folder."""

    path: str
    steps: int
    loss: float  # the mean of the last tenth of its steps
    seconds: float
    parameters: int
    type: str = "slider_result"


def learn(
    parent: Parent, slider: Slider, out_dir: Path, *, label: Mapping[str, str] | None = None
) -> Iterator[Phase | TrainStep | SliderResult]:
    """Learns the knob and writes it to `out_dir`, which is not there yet; the SliderResult comes last.

    Raises: Invalid (no picture model), Conflict (it is there), ModelBroken, ModelRefused, SetupError.
    """
    started = time.monotonic()
    free(out_dir)
    local = read_local(parent.path)
    if not isinstance(local.layout, ImageLayout):
        raise Invalid(
            f"{parent.id} writes text; a knob is learned for pictures",
            remedy="choose an image model",
            field="model",
            value=parent.id,
        )
    learner: PictureLearner | None = None
    for step in open_pictures(
        local, slider.plan, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ):
        if isinstance(step, Phase):
            yield step
        else:
            learner = step
    assert learner is not None, "open_pictures yields the learner last"
    losses: list[float] = []
    for event in _steps(learner, slider, parent.path):
        if isinstance(event, TrainStep):
            losses.append(event.loss)
        yield event
    last = losses[-max(1, len(losses) // 10) :]
    numbers = sum(p.numel() for p in learner.trained.values())
    result = SliderResult(
        str(out_dir), len(losses), sum(last) / len(last), time.monotonic() - started, numbers
    )
    _write(learner, slider, parent, out_dir, label or {"en": out_dir.name}, result)
    yield result


def _steps(learner: PictureLearner, slider: Slider, folder: Path) -> Iterator[Phase | TrainStep]:
    plan, device = slider.plan, next(learner.parameters()).device
    tokenizers = read_tokenizers(folder)
    neutral = [prompt for prompt, _, _ in slider.prompts]
    drawn: torch.Tensor | None = None  # (N, C, h, w); picture i is of neutral prompt i modulo their number
    asked = [neutral[i % len(neutral)] for i in range(slider.count)]
    for each in latents_of(learner, tokenizers, asked):
        if isinstance(each, Phase):
            yield each
        else:
            drawn = each
    assert drawn is not None, "latents_of yields them last"
    ids = token_ids(tokenizers, [text for each in slider.prompts for text in each])
    ids = ids.view(len(neutral), 3, *ids.shape[1:]).to(device)  # (P, 3, E, T)
    optimizer, began = adamw(learner.trained, plan), time.monotonic()
    for step in range(slider.steps):
        rng = generator(slider.seed, "slider", step)
        which = torch.randint(len(drawn), (slider.batch,), generator=rng)
        noise = torch.randn(drawn[which].shape, generator=rng).to(device)
        t = torch.randint(int(learner.noising.config.num_train_timesteps), (slider.batch,), generator=rng)
        t = t.to(device)
        noisy = learner.noising.add_noise(drawn[which].to(device), noise, t)
        words = ids[which % len(neutral)]  # (B, 3, E, T)
        sign = 1.0 if step % 2 == 0 else -1.0
        turn(learner, 0.0)
        with torch.no_grad():
            says = [learner.predict(noisy, t, words[:, i]).float() for i in range(3)]
            wanted = says[0] + sign * slider.eta * (says[1] - says[2])
        turn(learner, sign)
        loss = (learner.predict(noisy, t, words[:, 0]).float() - wanted).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(learner.trained.values(), plan.clip))
        lr = learning_rate(plan, step, slider.steps)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        pace = (time.monotonic() - began) / (step + 1)
        yield TrainStep(
            step=step + 1,
            steps=slider.steps,
            epoch=(step + 1) * slider.batch / len(drawn),
            loss=float(loss.detach()),
            lr=lr,
            grad_norm=norm,
            tokens=(step + 1) * slider.batch,
            tokens_per_s=slider.batch / pace,
            eta_s=pace * (slider.steps - step - 1),
        )
    turn(learner, 1.0)


def turn(learner: PictureLearner, strength: float) -> None:
    """The adapter counts `strength` times: 0 is the model itself."""
    for place in learner.places.values():
        layer: Any = learner.module.get_submodule(place)
        layer.scaling[PEFTS] = strength


def _write(  # noqa: PLR0917
    learner: PictureLearner,
    slider: Slider,
    parent: Parent,
    out_dir: Path,
    label: Mapping[str, str],
    result: SliderResult,
) -> None:
    facts = {
        "kind": "slider",
        "low": LOW,
        "high": HIGH,
        "label": dict(label),
        "prompts": {"plus": slider.plus, "minus": slider.minus, "for": list(slider.neutral)},
        "parent": {"id": parent.id, "checksum": parent.checksum},
        "plan": slider.to_json(),
        "numbers": {key: value for key, value in asdict(result).items() if key not in ("path", "type")},
        "versions": {"imfine": VERSION},
    }
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with locked(out_dir):
        free(out_dir)
        with told_when_full(out_dir.parent), staged(out_dir) as stage:
            write_adapter(learner, stage, out_dir.name)
            (stage / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
            for path in [*stage.iterdir(), stage]:
                sync(path)
        sync(out_dir.parent)
