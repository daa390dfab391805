"""A Stable Diffusion made ready to learn: UNet and text encoders, frozen but for the plan's targets.

The loss is diffusers' training's: latents are noised to a random timestep, and the UNet's prediction is held
against the noise (epsilon) or the velocity (v_prediction), whichever the model's scheduler says. Knows no
data, no optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import nn

from imfine.core.events import Phase
from imfine.core.families import ImageLayout, Layout, name_in
from imfine.core.models.load_image import CLASSES, read_part
from imfine.core.models.local import Local
from imfine.core.models.module import apply_norm_eps
from imfine.core.models.pictures import parts_of
from imfine.core.models.weights import INDEX, read_json
from imfine.core.train.learner import source_tensors
from imfine.core.train.pictures.captions import Captions, Words
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets
from imfine.errors import ModelRefused

PREDICTIONS = ("epsilon", "v_prediction")


class PictureLearner(nn.Module):
    """`module` holds the UNet and the text encoders by the names of their folders; the VAE learns nothing and
    stays outside."""

    def __init__(self, module: nn.ModuleDict, vae: nn.Module | None, local: Local, plan: Plan) -> None:
        super().__init__()
        self.module = module
        self.local, self.plan = local, plan
        self.outside = [vae]  # in a list: no part of what learns
        self.noising = noising(local.config["scheduler"])
        self.encoders = [name for name in module if name != "unet"]
        self.places = in_memory(module, local.layout, plan)
        frozen = not any(p.requires_grad for name in self.encoders for p in module[name].parameters())
        self.captions = Captions(self._encoded) if frozen else None

    def train(self, mode: bool = True) -> PictureLearner:
        """Frozen text encoders have no dropout: what they say is kept."""
        super().train(mode)
        if self.captions is not None:
            for name in self.encoders:
                self.module[name].eval()
        return self

    def forward(
        self,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        ids: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        """latents, noise (B, C, h, w), timesteps (B), ids (B, E, T) of each encoder's tokenizer, weights (B).

        Returns the squared error: a mean over each picture's numbers, weighted, summed over the pictures.
        """
        predicted = self.predict(self.noising.add_noise(latents, noise, timesteps), timesteps, ids).float()
        wanted = noise
        if self.noising.config.prediction_type == "v_prediction":
            wanted = self.noising.get_velocity(latents, noise, timesteps)
        each = (predicted - wanted).square().mean((1, 2, 3))  # (B)
        return (each * weights).sum()

    def predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """What the UNet says of noisy latents. (B, C, h, w), (B), (B, E, T) -> (B, C, h, w)"""
        with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.plan.dtype == "bfloat16"):
            words, added = self.read(ids, noisy.shape[-1])
            found = self.module["unet"](
                noisy, timesteps, encoder_hidden_states=words, added_cond_kwargs=added, return_dict=False
            )[0]
        return found  # type: ignore[no-any-return]

    def read(self, ids: torch.Tensor, side: int) -> tuple[torch.Tensor, dict[str, torch.Tensor] | None]:
        """(B, E, T) -> words (B, T, D), and SDXL's further conditions for pictures `side` latents wide."""
        words, pooled = self._encoded(ids) if self.captions is None else self.captions(ids)
        if pooled is None:
            return words, None
        assert isinstance(self.local.layout, ImageLayout)
        pixels = side * self.local.layout.factor
        sizes = torch.tensor([[pixels, pixels, 0, 0, pixels, pixels]], device=ids.device, dtype=pooled.dtype)
        return words, {"text_embeds": pooled, "time_ids": sizes.repeat(len(ids), 1)}

    def _encoded(self, ids: torch.Tensor) -> Words:
        """(B, E, T) -> words (B, T, D), pooled (B, P) where there are two encoders."""
        two = len(self.encoders) > 1
        words: list[torch.Tensor] = []
        pooled: torch.Tensor | None = None
        for i, name in enumerate(self.encoders):
            out = self.module[name](ids[:, i], output_hidden_states=two)
            words.append(out.hidden_states[-2] if two else out[0])
            pooled = out[0] if two and out[0].ndim == 2 else pooled
        return torch.cat(words, -1), pooled

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """By their names in `module`."""
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    def merged(self, target: str, weight: torch.Tensor) -> torch.Tensor:
        """A target's weight with its adapter in it, in float32; `weight`: the parent's own, as stored."""
        from imfine.core.train.adapter import merged

        return merged(self.module, self.places[target], weight)

    def write_adapter(self, folder: Path, name: str) -> None:
        from imfine.core.train.pictures.adapter import write_adapter

        write_adapter(self, folder, name)


def noising(config: Mapping[str, Any]) -> Any:
    """The schedule of noise that a model was trained with. Raises: ModelRefused."""
    found: Any = DDPMScheduler.from_config(dict(config))
    if found.config.prediction_type not in PREDICTIONS:
        raise ModelRefused(
            f"the model predicts {str(found.config.prediction_type)[:40]!r}, which is not trained here",
            remedy=f"choose a model that predicts {' or '.join(PREDICTIONS)}",
            field="model",
        )
    return found


def open_pictures(local: Local, plan: Plan, device: torch.device) -> Iterator[Phase | PictureLearner]:
    """Yields how far it has read, and last the learner, in training mode.

    Raises: ModelBroken, ModelRefused, Invalid (a plan that does not fit).
    """
    index = read_json(local.path / INDEX)
    names = parts_of(index)
    parts: dict[str, nn.Module] = {}
    for i, name in enumerate(names):
        yield Phase("loading", i, len(names), "parts")
        dtype = "float32" if name == "vae" else plan.dtype  # encoded once: exactly
        parts[name] = read_part(local.path / name, CLASSES[index[name][1]], dtype).to(device)
    yield Phase("loading", len(names), len(names), "parts")
    apply_norm_eps(nn.ModuleDict(parts), local.layout)
    vae = parts.pop("vae")
    yield made_ready(nn.ModuleDict(parts), vae, local, plan)


def made_ready(
    module: nn.ModuleDict, vae: nn.Module | None, local: Local, plan: Plan, *, read: bool = True
) -> PictureLearner:
    """`module` is `local`'s in the plan's dtype. `read`: masters from the file, not from it."""
    module.requires_grad_(False)
    if plan.method == "full":
        _open_weights(module, local, plan, read=read)
    else:
        from imfine.core.train.pictures.adapter import attach

        attach(module, local.layout, plan)
    if plan.checkpointing:
        for part in module.values():
            ask = getattr(part, "enable_gradient_checkpointing", None) or part.gradient_checkpointing_enable
            ask()  # type: ignore[operator]
    return PictureLearner(module, vae, local, plan).train()


def in_memory(module: nn.Module, layout: Layout, plan: Plan) -> dict[str, str]:
    """The targets' names in the module by their own: CLIP's stored names have a word more."""
    modules = dict(module.named_modules())
    found = {target.module: name_in(modules, target.module) for target in targets(layout, plan)}
    assert None not in found.values(), "the layout has matrices that the model has not"
    return {target: str(name) for target, name in found.items()}


def _open_weights(module: nn.ModuleDict, local: Local, plan: Plan, *, read: bool) -> None:
    """The targets become float32 masters. From the file: bfloat16 would lose what float16 had."""
    names = dict(module.named_parameters())
    wanted = {
        found: f"{target.module}.{kind}"
        for target in targets(local.layout, plan)
        for kind in ("weight", "bias")
        if (found := name_in(names, f"{target.module}.{kind}")) is not None
    }
    kept = dict(source_tensors(local.path, list(wanted.values()))) if read else {}
    for name, stored in wanted.items():
        owner, _, leaf = name.rpartition(".")
        old = names[name]
        new = kept.get(stored, old).detach().to(old.device, torch.float32)
        setattr(module.get_submodule(owner), leaf, nn.Parameter(new))
