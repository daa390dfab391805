"""Pictures as the loop learns them: latents, noise, timesteps and captions of a batch, always the same.

Noise, timestep and dropped caption of a picture follow from seed, step and its place in the step, so neither
accumulation nor an interruption changes them. Held-out pictures have noise and timesteps of their own that
never change: their loss compares from step to step, and between runs. Knows no order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from imfine.core.train.events import SampledPicture
from imfine.core.train.packing import Pack
from imfine.core.train.pictures.latents import Latents
from imfine.core.train.pictures.learner import PictureLearner
from imfine.core.train.pictures.samples import drawn

DRAWS = 4  # timesteps at which each held-out picture is measured, one in each quarter


class PictureLesson:
    """`prior`: latents (N, C, h, w) that the parent drew of the plan's prior, where it has one."""

    def __init__(
        self,
        learner: PictureLearner,
        tokenizers: Sequence[Any],
        latents: Latents,
        prior: torch.Tensor | None,
        folder: Any,
    ) -> None:
        self.learner, self.plan, self.tokenizers = learner, learner.plan, tokenizers
        self.latents, self.prior, self.folder = latents, prior, folder
        self.lengths: Sequence[int] = [1] * len(latents)
        self.scale, self.mean, self.std = scaling(learner.outside[0])

    def batch(self, packs: Sequence[Pack], step: int, at: int) -> tuple[torch.Tensor, ...]:
        """B pictures, and with a prior as many of its own behind them."""
        found = []
        for place, (row,) in enumerate(packs, at):
            rng = generator(self.plan.seed, "step", step, place)
            found.append(self._example(row, rng))
        if self.prior is not None:
            for place in range(at, at + len(packs)):
                rng = generator(self.plan.seed, "prior", step, place)
                which = int(torch.randint(len(self.prior), (), generator=rng))
                noise = torch.randn(self.latents.shape, generator=rng)
                assert self.plan.prior is not None
                found.append((self.prior[which], noise, self._timestep(rng), self.plan.prior))
        clean, noises, timesteps, words = zip(*found, strict=True)
        t = torch.stack(timesteps)
        weights = self._weights(t)
        weights[len(packs) :] *= self.plan.prior_weight
        return torch.stack(clean), torch.stack(noises), t, self._ids(words), weights

    def fixed(self, packs: Sequence[Pack]) -> tuple[torch.Tensor, ...]:
        """Each picture `DRAWS` times, unweighted; the learner's sum counts it once."""
        clean, noise, timesteps, words = [], [], [], []
        span = self.learner.noising.config.num_train_timesteps / DRAWS
        for (row,) in packs:
            rng = generator(self.plan.seed, "held out", row)
            for quarter in range(DRAWS):
                clean.append(self._clean(row, None))
                noise.append(torch.randn(self.latents.shape, generator=rng))
                timesteps.append(((torch.rand((), generator=rng) + quarter) * span).long())
                words.append(self.latents.captions[row])
        weights = torch.full((len(clean),), 1 / DRAWS)
        return torch.stack(clean), torch.stack(noise), torch.stack(timesteps), self._ids(words), weights

    def count(self, packs: Sequence[Pack]) -> int:
        return len(packs)

    def read(self, packs: Sequence[Pack]) -> int:
        return len(packs)

    def samples(self, step: int) -> Iterator[SampledPicture]:
        return drawn(self.learner, self.tokenizers, self.folder, step=step)

    def _example(
        self, row: int, rng: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, str]:
        clean = self._clean(row, rng)
        noise = torch.randn(self.latents.shape, generator=rng)
        timestep = self._timestep(rng)
        dropped = float(torch.rand((), generator=rng)) < self.plan.caption_dropout
        return clean, noise, timestep, "" if dropped else self.latents.captions[row]

    def _clean(self, row: int, rng: torch.Generator | None) -> torch.Tensor:
        """Latents as the UNet knows them (C, h, w): drawn, or without a generator the likeliest."""
        mean, deviation = self.latents.moments(row)
        if rng is not None:
            mean = mean + deviation * torch.randn(mean.shape, generator=rng)
        latents: torch.Tensor = (mean - self.mean) * self.scale / self.std
        return latents

    def _timestep(self, rng: torch.Generator) -> torch.Tensor:
        return torch.randint(int(self.learner.noising.config.num_train_timesteps), (), generator=rng)

    def _weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """min-SNR: what is nearly clean counts no more than what is not (arXiv 2303.09556). (B) -> (B)"""
        if self.plan.snr_gamma is None:
            return torch.ones(len(timesteps))
        alphas: torch.Tensor = self.learner.noising.alphas_cumprod[timesteps]
        snr = alphas / (1 - alphas)
        least: torch.Tensor = snr.clamp(max=self.plan.snr_gamma)
        velocity = self.learner.noising.config.prediction_type == "v_prediction"
        return least / (snr + 1) if velocity else least / snr.clamp(min=1e-8)

    def _ids(self, words: Sequence[str]) -> torch.Tensor:
        return token_ids(self.tokenizers, words)


def token_ids(tokenizers: Sequence[Any], words: Sequence[str]) -> torch.Tensor:
    """(B, E, T), padded to the window as the pipelines do."""
    each = [
        tokenizer(
            list(words),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        for tokenizer in tokenizers
    ]
    return torch.stack(each, 1)


def scaling(vae: Any) -> tuple[float, torch.Tensor, torch.Tensor]:
    """What turns a VAE's latents into the UNet's: (z − mean) · scale / std, (C, 1, 1) each."""
    config = vae.config
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is None or std is None:
        return float(config.scaling_factor), torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    return float(config.scaling_factor), torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)


def generator(*names: object) -> torch.Generator:
    """Random numbers on the CPU that follow from `names` alone."""
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
