"""The first steps' loss is that of diffusers' own LoRA training, written plainly, from the same noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from picture_data import Pictures
from PIL import Image
from training import Source

from imfine.core.models.known import SHIPPED
from imfine.core.train.pictures.lesson import generator
from imfine.core.train.plan import Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared

MODEL = SHIPPED / "emoji-diffusion"
STEPS = 20
TARGETS = ["to_k", "to_q", "to_v", "to_out.0"]


def ours(asked: Plan, data: Pictures, folder: Path) -> tuple[list[float], Prepared, dict[str, torch.Tensor]]:
    """The losses, what they were made with, and the adapter's numbers before the first step."""
    found = next(
        each
        for each in prepare(Accelerator(), Source(MODEL), data, asked, folder / "rows")
        if isinstance(each, Prepared)
    )
    first = {name: p.detach().clone() for name, p in found.learner.trained.items()}
    losses: list[float] = []
    for step in range(STEPS):
        found.stepper.take(step, lambda loss, norm: losses.append(loss))
    return losses, found, first


def theirs(asked: Plan, data: Pictures, made: Prepared, first: dict[str, torch.Tensor]) -> list[float]:
    """As examples/text_to_image/train_text_to_image_lora.py has it, without its arguments."""
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, torch_dtype=torch.float32)
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    scheduler = DDPMScheduler.from_pretrained(MODEL, subfolder="scheduler")
    for part in (unet, vae, text_encoder):
        part.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=asked.rank, lora_alpha=asked.lora_alpha, target_modules=TARGETS))
    layers = {name: p for name, p in unet.named_parameters() if p.requires_grad}
    assert {f"unet.{name}" for name in layers} == set(first)
    with torch.no_grad():
        for name, p in layers.items():
            p.copy_(first[f"unet.{name}"])
    optimizer = torch.optim.AdamW(layers.values(), lr=asked.learning_rate, weight_decay=asked.weight_decay)
    losses = []
    for step in range(STEPS):
        rows = [row for (row,) in made.feed.step(step)]
        pixels, noise, draws, timesteps = [], [], [], []
        for place, row in enumerate(rows):
            image = Image.open(data.row(row).path).convert("RGB")
            image = image.resize((64, 64), Image.Resampling.LANCZOS)
            pixels.append(torch.from_numpy(np.asarray(image) / 127.5 - 1).permute(2, 0, 1).float())
            rng = generator(asked.seed, "step", step, place)
            draws.append(torch.randn(4, 16, 16, generator=rng))
            noise.append(torch.randn(4, 16, 16, generator=rng))
            timesteps.append(torch.randint(1000, (), generator=rng))
        with torch.no_grad():
            latent_dist = vae.encode(torch.stack(pixels)).latent_dist
            latents = latent_dist.mean + latent_dist.std * torch.stack(draws)
            latents = latents * vae.config.scaling_factor
            words = [data.row(row).caption for row in rows]
            ids = pipeline.tokenizer(
                words, max_length=pipeline.tokenizer.model_max_length, padding="max_length",
                truncation=True, return_tensors="pt",
            ).input_ids  # fmt: skip
            hidden = text_encoder(ids, return_dict=False)[0]
        t = torch.stack(timesteps)
        noisy = scheduler.add_noise(latents, torch.stack(noise), t)
        target = scheduler.get_velocity(latents, torch.stack(noise), t)
        predicted = unet(noisy, t, hidden, return_dict=False)[0]
        loss = F.mse_loss(predicted.float(), target.float(), reduction="mean")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(layers.values()), asked.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
    return losses


@pytest.mark.slow
def test_twenty_steps_of_diffusers(tmp_path):
    data = Pictures(tmp_path / "pictures", 9, size=(64, 64))
    asked = Plan(
        steps=STEPS, batch=2, lr=3e-3, rank=4, parts=("attn",), schedule="constant", warmup=0.0,
        caption_dropout=0.0, eval_share=0.0,
    )  # fmt: skip
    losses, made, first = ours(asked, data, tmp_path)
    expected = theirs(asked, data, made, first)
    assert max(abs(a - b) for a, b in zip(losses, expected, strict=True)) < 1e-4
    assert np.mean(losses[-5:]) < 0.97 * np.mean(losses[:5])
