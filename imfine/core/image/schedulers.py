"""The schedulers by our names, each diffusers' own class, from the model's scheduler_config. Knows no UNet.

And the estimate of the finished latents while they are still noisy, the same formula for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers
from torch import Tensor

from imfine.core.image.sampling import ImageSampling
from imfine.errors import Invalid, ModelRefused

CLASSES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "dpmpp_2m_karras": (
        "DPMSolverMultistepScheduler",
        {
            "algorithm_type": "dpmsolver++",
            "solver_order": 2,
            "use_karras_sigmas": True,
            "use_exponential_sigmas": False,
        },
    ),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
# The first, as beta sigmas, would need scipy, which transformers then imports too: a part of every start.
# The second would need torchsde. EDM's noise is no √(1−ᾱ).
REFUSED = {"LMSDiscreteScheduler", "DPMSolverSDEScheduler", "EDMEulerScheduler"}
OWN = {each.name for each in KarrasDiffusionSchedulers} - REFUSED | {"LCMScheduler"}


def make(sampling: ImageSampling, config: Mapping[str, Any], device: str) -> Any:
    """A scheduler with its timesteps set. One per request: it counts its steps itself.

    Raises:
        ModelRefused: the model's own scheduler is none of OWN.
        Invalid: the scheduler cannot take so many steps.
    """
    if sampling.scheduler == "default":
        name, extra = str(config.get("_class_name")), {}
        if name not in OWN or config.get("use_beta_sigmas"):
            beta = " with beta sigmas" if config.get("use_beta_sigmas") else ""
            raise ModelRefused(
                f"the model's own scheduler is {name[:100]}{beta}, which is not supported",
                remedy=f"choose one of {', '.join(CLASSES)}",
                field="image.scheduler",
            )
    else:
        name, given = CLASSES[sampling.scheduler]
        extra = {"use_beta_sigmas": False, **given}
    scheduler = getattr(diffusers, name).from_config(dict(config), **extra)
    try:
        scheduler.set_timesteps(sampling.steps, device=device)
    except ValueError as error:  # e.g. LCM: not more steps than it was distilled from
        raise Invalid(
            f"{name} cannot take {sampling.steps} steps: {str(error)[:200]}",
            remedy="ask for fewer steps",
            field="image.steps",
            value=sampling.steps,
        ) from error
    return scheduler


def finished(scheduler: Any, output: Tensor, scaled: Tensor, t: Tensor) -> Tensor:
    """The latents as they would be at the end, from the UNet's output at `t` and the input it saw.

    `scaled` is what scale_model_input gave: √ᾱ·x₀ + √(1−ᾱ)·ε in every scheduler's notation. (B, C, H, W)
    """
    alphas: Tensor = scheduler.alphas_cumprod
    a = alphas[int(t.round().clamp(0, len(alphas) - 1)) if t.is_floating_point() else int(t)].to(output)
    kind = scheduler.config.prediction_type
    if kind == "sample":
        return output
    if kind == "v_prediction":
        return a.sqrt() * scaled - (1 - a).sqrt() * output
    return (scaled - (1 - a).sqrt() * output) / a.sqrt()


def noise(seeds: list[int], shape: tuple[int, ...]) -> tuple[Tensor, list[torch.Generator]]:
    """Standard noise (B, *shape), a CPU generator per picture, and the generators as they then stand:
    diffusers' randn_tensor with a list of generators, in float32 on every device."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.cat([torch.randn((1, *shape), generator=g) for g in generators]), generators
