"""A learned knob: the direction between two opposite prompts, as a LoRA on the UNet (Concept Sliders, arXiv
2311.12092), learned from pictures that the model draws itself.

Knows a slider, no run: whoever stops listening leaves nothing behind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imfine.core.deltas.knob import HIGH, LOW
from imfine.core.events import Phase, last_of
from imfine.core.models.folders import FACTS, locked, staged, sync
from imfine.core.models.load_image import read_tokenizers
from imfine.core.train.checkpoint import told_when_full
from imfine.core.train.events import SliderResult, TrainStep
from imfine.core.train.learner import Parent
from imfine.core.train.pictures.adapter import write_adapter
from imfine.core.train.pictures.learner import PictureLearner
from imfine.core.train.pictures.samples import latents_of
from imfine.core.train.result import free
from imfine.core.train.sliders.learner import Stepper, opened, too_much_told
from imfine.core.train.sliders.slider import Slider
from imfine.version import VERSION


def learn(
    parent: Parent,
    slider: Slider,
    out_dir: Path,
    *,
    label: Mapping[str, str] | None = None,
    run: str | None = None,
) -> Iterator[Phase | TrainStep | SliderResult]:
    """Learns the knob and writes it to `out_dir`, which is not there yet; the SliderResult comes last.

    `label`: what it is called, by language; else as its folder. `run`: the server's run that learns it.
    Raises: Invalid (no picture model), Conflict (it is there), OutOfMemory and TrainingDiverged (with what to
    change), ModelBroken, ModelRefused, SetupError.
    """
    started = time.monotonic()
    free(out_dir)
    learner = yield from opened(parent, slider)
    losses: list[float] = []
    with too_much_told(slider):
        for event in _steps(learner, slider, parent.path):
            if isinstance(event, TrainStep):
                losses.append(event.loss)
            yield event
    last = losses[-max(1, len(losses) // 10) :]
    numbers = sum(p.numel() for p in learner.trained.values())
    result = SliderResult(
        str(out_dir), len(losses), sum(last) / len(last), time.monotonic() - started, numbers
    )
    facts = {
        "kind": "slider",
        "run": run,
        "low": LOW,
        "high": HIGH,
        "label": dict(label or {"en": out_dir.name}),
        "prompts": {"plus": slider.plus, "minus": slider.minus, "for": list(slider.neutral)},
        "parent": {"id": parent.id, "checksum": parent.checksum},
        "plan": slider.to_json(),
        "numbers": {key: value for key, value in asdict(result).items() if key not in ("path", "type")},
        "versions": {"imfine": VERSION},
    }
    _write(learner, out_dir, facts)
    yield result


def _steps(learner: PictureLearner, slider: Slider, folder: Path) -> Iterator[Phase | TrainStep]:
    tokenizers = read_tokenizers(folder)
    drawn = yield from last_of(latents_of(learner, tokenizers, slider.asked))
    stepper, began = Stepper(learner, slider, tokenizers, drawn), time.monotonic()
    for step in range(slider.steps):
        loss, norm, lr = stepper.take(step)
        pace = (time.monotonic() - began) / (step + 1)
        yield TrainStep(
            step=step + 1,
            steps=slider.steps,
            epoch=(step + 1) * slider.batch / len(drawn),
            loss=loss,
            lr=lr,
            grad_norm=norm,
            tokens=(step + 1) * slider.batch,
            tokens_per_s=slider.batch / pace,
            eta_s=pace * (slider.steps - step - 1),
        )
    stepper.turn(1.0)


def _write(learner: PictureLearner, out_dir: Path, facts: Mapping[str, Any]) -> None:
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with locked(out_dir):
        free(out_dir)
        with told_when_full(out_dir.parent), staged(out_dir) as stage:
            write_adapter(learner, stage, out_dir.name)
            (stage / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
            for path in [*stage.iterdir(), stage]:
                sync(path)
        sync(out_dir.parent)
