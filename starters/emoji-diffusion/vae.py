"""Trains emoji-diffusion's VAE, the whole of it or only its decoder, and encodes pictures. Knows no captions.

With the decoder alone the latents stay what they were, so a UNet that learned them remains right.
"""

from __future__ import annotations

import math
import time

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

BATCH = 32
KL_WEIGHT = 1e-4
MIRRORED = 0.3  # of the pictures, where the whole VAE is trained


def fit(
    vae: AutoencoderKL, pictures: Tensor, seconds: float, rate: float, latents: Tensor | None = None
) -> None:
    """`pictures`: (N, 3, H, W) of uint8; with their `latents` only the decoder is trained.

    A cosine over `seconds`; then the VAE is in eval mode."""
    trained = vae if latents is None else torch.nn.ModuleList([vae.post_quant_conv, vae.decoder])
    vae.train().requires_grad_(False)
    trained.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=rate, weight_decay=0.01, fused=True)
    start, step = time.monotonic(), 0
    while (done := (time.monotonic() - start) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (1 + math.cos(math.pi * done)) / 2
        rows = torch.randint(len(pictures), (BATCH,))
        x = scaled(pictures[rows])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if latents is None:
                x = torch.where(torch.rand(BATCH, 1, 1, 1) < MIRRORED, x.flip(3), x)
                seen = vae.encode(x).latent_dist
                y, kl = vae.decode(seen.sample()).sample, seen.kl().mean()
            else:
                y, kl = vae.decode(latents[rows]).sample, torch.zeros(())
        loss = difference(y.float(), x) + KL_WEIGHT * kl
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % 50 == 0:
            print(f"vae: step {step}, {done:.0%} of its time, loss {loss.item():.4f}", flush=True)
    vae.eval().requires_grad_(False)


def difference(y: Tensor, x: Tensor) -> Tensor:
    """L1, half the L1 of the gradients (edges are what an emoji is made of), and the squared error."""
    edges = sum(F.l1_loss(y.diff(dim=d), x.diff(dim=d)) for d in (2, 3))
    return F.l1_loss(y, x) + 0.5 * edges + F.mse_loss(y, x)


@torch.inference_mode()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """(N, 3, H, W) of uint8 -> (N, C, h, w): the likeliest latents, not yet scaled for the UNet."""
    found = []
    for some in pictures.split(64):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found.append(vae.encode(scaled(some)).latent_dist.mode().float())
    return torch.cat(found)


def scaled(pictures: Tensor) -> Tensor:
    """0 to 255 -> -1 to 1."""
    return pictures.float() / 127.5 - 1
