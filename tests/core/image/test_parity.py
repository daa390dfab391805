"""Neutral is diffusers' own pipeline, for the same seed: at most 1/255 apart, in every shape."""

from __future__ import annotations

import io
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from imfine.core.events import Picture
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.core.image.schedulers import CLASSES
from imfine.core.recipe import Recipe

PROMPT = "a red apple"
KINDS = ("sd1", "sd2", "sdxl", "starter")


def pipeline(model: Any, scheduler: str = "default") -> Any:
    """diffusers' own, over the same modules."""
    config = dict(model.scheduler_config)
    name, extra = (config["_class_name"], {}) if scheduler == "default" else CLASSES[scheduler]
    own = getattr(diffusers, name).from_config(config, **extra)
    shared = {"unet": model.unet, "vae": model.vae, "scheduler": own}
    if len(model.text_encoders) > 1:
        pipe = StableDiffusionXLPipeline(
            **shared,
            text_encoder=model.text_encoders[0],
            text_encoder_2=model.text_encoders[1],
            tokenizer=model.tokenizers[0],
            tokenizer_2=model.tokenizers[1],
            add_watermarker=False,
        )
    else:
        pipe = StableDiffusionPipeline(
            **shared,
            text_encoder=model.text_encoders[0],
            tokenizer=model.tokenizers[0],
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(model: Any, seed: int = 5, scheduler: str = "default", **settings: Any) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    out = pipeline(model, scheduler)(PROMPT, generator=generator, output_type="np", **settings)
    return (out.images[0] * 255).round().astype("uint8")


def ours(
    model: Any, lanes: tuple[Lane, ...] = (Lane("base"),), **settings: Any
) -> dict[tuple[int, int], np.ndarray]:
    request = ImageRequest(lanes, PROMPT, ImageSampling(previews=False, **settings))
    events = list(generate(model, request))
    return {
        (e.lane, e.index): np.array(Image.open(io.BytesIO(e.png))) for e in events if isinstance(e, Picture)
    }


def apart(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("kind", KINDS)
def test_neutral_is_diffusers_own(made: Any, kind: str) -> None:
    model = made(kind)
    expected = theirs(model, num_inference_steps=5, guidance_scale=4.0)
    got = ours(model, seed=5, steps=5, guidance=4.0)[0, 0]
    assert apart(got, expected) <= 1
    assert got.std() > 1, "a flat picture proves nothing"


@pytest.mark.parametrize("scheduler", sorted(CLASSES))
@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_every_scheduler_is_diffusers_own(made: Any, kind: str, scheduler: str) -> None:
    model = made(kind)
    expected = theirs(model, scheduler=scheduler, num_inference_steps=4, guidance_scale=4.0)
    got = ours(model, seed=5, steps=4, guidance=4.0, scheduler=scheduler)[0, 0]
    assert apart(got, expected) <= 1


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_negative_prompt_size_and_no_guidance_are_diffusers_own(made: Any, kind: str) -> None:
    model = made(kind)
    expected = theirs(
        model, negative_prompt="green", num_inference_steps=3, guidance_scale=7.0, width=24, height=32
    )
    got = ours(model, negative="green", seed=5, steps=3, guidance=7.0, width=24, height=32)[0, 0]
    assert apart(got, expected) <= 1
    plain = theirs(model, num_inference_steps=3, guidance_scale=1.0)
    assert apart(ours(model, seed=5, steps=3, guidance=1.0)[0, 0], plain) <= 1


@pytest.mark.parametrize("scheduler", ["default", "euler_a", "lcm"])
def test_a_picture_depends_on_neither_neighbours_nor_count(made: Any, scheduler: str) -> None:
    model = made("sd1")
    alone = ours(model, seed=6, steps=4, scheduler=scheduler)[0, 0]
    model = made("sd1")
    lanes = (Lane("tuned", Recipe(attn=1.3)), Lane("base"), Lane("loud", Recipe(mlp=1.5)))
    among = ours(model, lanes, seed=4, count=3, steps=4, scheduler=scheduler)
    assert len(among) == 9
    assert apart(among[1, 2], alone) <= 1
    tuned = ours(made("sd1"), (lanes[0],), seed=5, steps=4, scheduler=scheduler)[0, 0]
    assert apart(among[0, 1], tuned) <= 1
    assert apart(tuned, alone) > 1


def test_rows_do_not_leak(made: Any) -> None:
    """The original beside a tuned lane is the original's."""
    model = made("sdxl")
    lanes = (Lane("base"), Lane("tuned", Recipe(attn=0.3, mlp=2.0)))
    both = ours(model, lanes, seed=5, steps=4, guidance=4.0)
    assert apart(both[0, 0], theirs(model, num_inference_steps=4, guidance_scale=4.0)) <= 1
    assert apart(both[0, 0], both[1, 0]) > 1
