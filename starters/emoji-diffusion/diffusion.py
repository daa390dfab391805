"""Trains emoji-diffusion's text encoder and UNet together, on latents and captions. Knows no pictures.

What the UNet says is v (arXiv 2202.00512). The loss is its squared error, weighted as by min-SNR (arXiv
2303.09556) where the noise is small: as an error of the finished latents it counts min(SNR + 1, 5) times. The
+ 1 keeps the noisiest steps, which min-SNR itself would weigh 0 and where the picture is laid out.

Nothing is compiled: on the CPU torch 2.13's inductor gave the same loss, and no gradient to the text encoder
and to half of the UNet.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

BATCH = 64
WARMUP = 0.03  # of the leg
HIGHEST_WEIGHT = 5.0
SLOWEST_AVERAGE = 0.998
SAVE_SECONDS = 180
LONGEST_STEP_SECONDS = 20.0  # of a step that took longer the process was paused, and that does not count
WATCH_STEPS = 50

Batch = tuple[Tensor, list[str]]  # scaled latents (B, C, h, w) and their captions


class Painting(nn.Module):
    """Text encoder and UNet as one: what is trained, averaged and kept."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet

    def forward(self, noisy: Tensor, t: Tensor, ids: Tensor) -> Tensor:
        words = self.text_encoder(ids)[0]  # (B, T, D)
        said: Tensor = self.unet(noisy, t, encoder_hidden_states=words, return_dict=False)[0]
        return said


class Checkpoint:
    """Weights, their average, optimizer and how far they are, on disk in one piece or not at all."""

    def __init__(self, path: Path, model: Painting, rate: float) -> None:
        self.path, self.model, self.rate = path, model, rate
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)
        self.average = [p.detach().clone() for p in model.parameters()]
        self.step = 0
        self.seconds = 0.0

    def follow(self) -> None:
        """Moves the average towards the weights, faster at first."""
        share = 1 - min(SLOWEST_AVERAGE, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.model.parameters()], share)

    def settle(self) -> None:
        """Makes the average the weights."""
        with torch.no_grad():
            for p, average in zip(self.model.parameters(), self.average, strict=True):
                p.copy_(average)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def load(self) -> None:
        if not self.path.exists():
            raise SystemExit(f"{self.path} does not exist; train without --resume first")
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]


def fit(
    at: Checkpoint,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
    batches: Callable[[random.Random], Batch],
    leg_seconds: float,
) -> None:
    """Train until the leg is over; its log is one line of JSON every few steps."""
    model = at.model.train()
    model.unet.set_attn_processor(AttnProcessor())  # plain products: for heads this small the quickest
    dice = random.Random(at.step)  # noqa: S311 - a draw to be repeated, not a secret
    torch.manual_seed(at.step)
    log = at.path.with_name("log.jsonl").open("a", buffering=1)
    running: list[float] = []
    saved = last = time.monotonic()
    while at.seconds < leg_seconds:
        done = at.seconds / leg_seconds
        for group in at.optimizer.param_groups:
            group["lr"] = at.rate * schedule(done)
        latents, captions = batches(dice)
        loss = velocity_loss(model, scheduler, latents, tokens(tokenizer, captions))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        at.optimizer.step()
        at.optimizer.zero_grad(set_to_none=True)
        at.follow()
        running.append(loss.item())
        at.step += 1
        now = time.monotonic()
        at.seconds, last = at.seconds + min(now - last, LONGEST_STEP_SECONDS), now
        if at.step % WATCH_STEPS == 0:
            line = {"step": at.step, "minutes": round(at.seconds / 60, 2), "of_leg": round(done, 4)}
            print(json.dumps({**line, "loss": round(sum(running) / len(running), 4)}), file=log)
            running.clear()
        if now - saved > SAVE_SECONDS:
            at.save()
            saved = now
    at.save()


def schedule(done: float) -> float:
    """The share of the highest rate: a linear warm-up, then a cosine to nothing."""
    if done < WARMUP:
        return max(done, WARMUP / 100) / WARMUP
    return (1 + math.cos(math.pi * (done - WARMUP) / (1 - WARMUP))) / 2


def tokens(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """(B, T) ids, filled up to the whole window as a painter does."""
    window = tokenizer.model_max_length
    encoded = tokenizer(
        captions, padding="max_length", max_length=window, truncation=True, return_tensors="pt"
    )
    ids: Tensor = encoded.input_ids
    return ids


def velocity_loss(model: Painting, scheduler: DDIMScheduler, latents: Tensor, ids: Tensor) -> Tensor:
    """The mean over a batch whose times are spread evenly, each at a random place of its share."""
    rows, times = len(latents), scheduler.config.num_train_timesteps
    t = ((torch.randperm(rows) + torch.rand(rows)) / rows * times).long()
    noise = torch.randn_like(latents)
    noisy: Any = scheduler.add_noise(latents, noise, t)
    asked = scheduler.get_velocity(latents, noise, t)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said = model(noisy, t, ids)
    error = (said.float() - asked).square().mean((1, 2, 3))  # (B,)
    # SNR + 1 = 1 / (1 - alpha), and an error of v counts SNR + 1 times as one of the finished latents
    weight = (HIGHEST_WEIGHT * (1 - scheduler.alphas_cumprod[t])).clamp(max=1)
    return (weight * error).mean()
