"""What a picture learner draws at a moment: the plan's prompts, from the same noise each time.

Knows no run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imfine.core.equalizer import Equalizer
from imfine.core.events import Phase
from imfine.core.families import ImageLayout
from imfine.core.image import png
from imfine.core.image.decode import decode
from imfine.core.image.denoise import Denoising, Row
from imfine.core.image.kept import Kept
from imfine.core.image.sampling import ImageSampling
from imfine.core.recipe import Recipe
from imfine.core.train.evaluate import evaluating
from imfine.core.train.events import SampledPicture
from imfine.core.train.home import SAMPLES
from imfine.core.train.pictures.learner import PictureLearner
from imfine.settings import Settings, settings

AT_ONCE = 4  # pictures


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A learner as core.image wants a model; it keeps nothing, since its weights move."""

    unet: nn.Module
    text_encoders: tuple[nn.Module, ...]
    vae: nn.Module
    tokenizers: tuple[Any, ...]
    layout: ImageLayout
    scheduler_config: dict[str, Any]
    equalizer: Equalizer
    dtype: str
    device: str
    path: Path
    settings: Settings = field(default_factory=settings)  # no delta is looked for: no recipe names one
    id: str = ""
    revision: str = ""
    checksum: str = ""
    card: Any = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)


def drawn(
    learner: PictureLearner, tokenizers: Sequence[Any], folder: Path, *, step: int
) -> Iterator[SampledPicture]:
    """The plan's prompts, each a PNG in `folder`/samples, with the model's own steps and guidance."""
    plan = learner.plan
    prompts = list(plan.samples)
    (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    for first in range(0, len(prompts), AT_ONCE):
        some = prompts[first : first + AT_ONCE]
        work, model = _begun(learner, tokenizers, some, [plan.seed] * len(some))
        while work.done < work.total:
            _step(learner, work)
        with torch.no_grad():
            pixels = decode(model, work.latents, [Recipe()] * len(some))
        model.equalizer.close()
        for i, (prompt, each) in enumerate(zip(some, pixels, strict=True), first):
            data = png.write(each, {"prompt": prompt, "seed": plan.seed, "step": step})
            sha256 = hashlib.sha256(data).hexdigest()
            file = folder / SAMPLES / f"step-{step:08d}-{i}.png"
            file.write_bytes(data)
            height, width = each.shape[:2]
            yield SampledPicture(
                step, i, prompt, plan.seed, width, height, sha256, len(data), f"{SAMPLES}/{file.name}"
            )


def latents_of(
    learner: PictureLearner, tokenizers: Sequence[Any], prompts: Sequence[str]
) -> Iterator[Phase | torch.Tensor]:
    """What the model draws of `prompts` before it learns, from a seed each; (N, C, h, w) comes last."""
    found: list[torch.Tensor] = []
    for first in range(0, len(prompts), AT_ONCE):
        some = prompts[first : first + AT_ONCE]
        seeds = [(learner.plan.seed + i) % 2**32 for i in range(first, first + len(some))]
        work, model = _begun(learner, tokenizers, some, seeds)
        while work.done < work.total:
            yield Phase("working", first, len(prompts), "parts")  # again at each step: a sign of life
            _step(learner, work)
        model.equalizer.close()
        found.append(work.latents.cpu())
    yield torch.cat(found)


def pace_of(
    learner: PictureLearner, tokenizers: Sequence[Any], prompts: Sequence[str], steps: int
) -> Iterator[tuple[float, torch.Tensor]]:
    """`latents_of` is begun, and left: at each step the seconds that the whole takes by it, and the latents
    (N, C, h, w) of the first few as they are by then."""
    some = prompts[:AT_ONCE]
    work, model = _begun(learner, tokenizers, some, list(range(len(some))))
    try:
        for _ in range(min(steps, work.total)):
            start = time.monotonic()
            _step(learner, work)
            whole_s = (time.monotonic() - start) * work.total * len(prompts) / len(some)
            yield whole_s, work.latents.cpu()
    finally:
        model.equalizer.close()


def _begun(
    learner: PictureLearner, tokenizers: Sequence[Any], prompts: Sequence[str], seeds: Sequence[int]
) -> tuple[Denoising, _Drawing]:
    plan, layout = learner.plan, learner.local.layout
    assert isinstance(layout, ImageLayout)
    own = {**layout.to_json()["image"], **(learner.local.facts.get("image") or {})}
    pixels = plan.pixels(layout)
    sampling = ImageSampling(width=pixels, height=pixels).settled(own)
    model = _drawing(learner, layout, tuple(tokenizers))
    rows = [Row(Recipe(), prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
    with evaluating(learner), _autocast(learner, model.device):
        return Denoising(model, rows, sampling), model


def _step(learner: PictureLearner, work: Denoising) -> None:
    with evaluating(learner), _autocast(learner, work.latents.device.type):
        work.step()


def _autocast(learner: PictureLearner, device: str) -> torch.autocast:
    return torch.autocast(device, torch.bfloat16, enabled=learner.plan.dtype == "bfloat16")


def _drawing(learner: PictureLearner, layout: ImageLayout, tokenizers: tuple[Any, ...]) -> _Drawing:
    vae = learner.outside[0]
    assert vae is not None
    return _Drawing(
        unet=learner.module["unet"],
        text_encoders=tuple(learner.module[name] for name in learner.encoders),
        vae=vae,
        tokenizers=tokenizers,
        layout=layout,
        scheduler_config=learner.local.config["scheduler"],
        equalizer=Equalizer(nn.ModuleDict({**learner.module, "vae": vae}), layout),
        dtype=learner.plan.dtype,
        device=next(vae.parameters()).device.type,
        path=learner.local.path,
    )
