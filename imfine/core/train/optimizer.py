"""AdamW over named parameters, and its state as plain named tensors. Knows no schedule, no step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from imfine.core.train.plan import Plan
from imfine.core.train.sharding import part_of

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def adamw(parameters: Mapping[str, nn.Parameter], plan: Plan) -> torch.optim.AdamW:
    """Matrices decay; biases and DoRA's magnitudes do not. Fused: one pass over memory in place of ten."""
    groups = [
        {"params": [p for p in parameters.values() if p.dim() > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in parameters.values() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=plan.learning_rate, fused=True
    )


def state_of(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> dict[str, torch.Tensor]:
    """{"exp_avg/name": …}; {} before the first step."""
    return {
        f"{moment}/{name}": optimizer.state[p][moment]
        for name, p in parameters.items()
        if p in optimizer.state
        for moment in MOMENTS
    }


def set_state(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    state: Mapping[str, torch.Tensor],
) -> None:
    for name, p in parameters.items():
        for moment in MOMENTS:
            optimizer.state[p][moment] = part_of(state[f"{moment}/{name}"], p)
