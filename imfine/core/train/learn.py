"""A learned knob: the direction between two opposite prompts, as a LoRA on the UNet (Concept Sliders, arXiv
2311.12092).

No data: the model draws what the knob shall be for, and what it says of these pictures at any noise is

    turned to +1:  says(neutral) + η · (says(plus) − says(minus))
    turned to −1:  says(neutral) − η · (says(plus) − says(minus))

The two sides are learned in turn, by one adapter whose sign is turned, so 0 is the model itself. Says: the
noise or the velocity, whichever the model predicts; the one is the other times a number of the timestep.
Knows a slider, no run: whoever stops listening leaves nothing behind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from imfine.core.deltas.knob import HIGH, LOW
from imfine.core.events import Phase
from imfine.core.models.folders import FACTS, locked, staged, sync
from imfine.core.models.load_image import read_tokenizers
from imfine.core.models.local import Local, read_local
from imfine.core.train.checkpoint import told_when_full
from imfine.core.train.events import SliderResult, TrainStep
from imfine.core.train.fit import need
from imfine.core.train.learner import Parent
from imfine.core.train.optimizer import adamw
from imfine.core.train.picture_adapter import PEFTS, write_adapter
from imfine.core.train.picture_learner import PictureLearner, open_pictures
from imfine.core.train.picture_lesson import generator, token_ids
from imfine.core.train.picture_samples import latents_of
from imfine.core.train.result import free
from imfine.core.train.room import free as free_memory
from imfine.core.train.schedule import learning_rate
from imfine.core.train.slider import Slider
from imfine.core.train.step import ran_out
from imfine.core.train.watch import Watch
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
    local = read_local(parent.path)
    slider.check(local.layout, parent.id)
    _check_fits(local, slider, parent.id)
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
    try:
        for event in _steps(learner, slider, parent.path):
            if isinstance(event, TrainStep):
                losses.append(event.loss)
            yield event
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise slider.too_much(f"the memory ran out in a batch of {slider.batch} pictures") from error
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


def _check_fits(local: Local, slider: Slider, name: str) -> None:
    """Raises: OutOfMemory."""
    have, device = free_memory()
    shapes = {each: tensor.shape for each, tensor in (local.tensors or {}).items()}
    wants = need(local.config, shapes, slider.plan, device).together
    if wants > have:
        raise slider.too_much(
            f"learning a knob of {name} so needs {wants / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are free"
        )


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
    optimizer, watch, began = adamw(learner.trained, plan), Watch(plan, "slider."), time.monotonic()
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
        watch.look(step + 1, float(loss.detach()), norm)
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
