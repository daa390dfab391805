"""LoRA, DoRA and QLoRA by PEFT: put on a model, written as a plain adapter folder, and made into weights.

Knows one module and its plan, no training.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from imfine.core.families import Layout
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets

NAME = "default"  # PEFT's, of an adapter that is given none


def attach(module: PreTrainedModel, layout: Layout, plan: Plan, name: str) -> PeftModel:
    """Adapters on the plan's targets, neutral at first. The random half comes from the plan's seed."""
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.lora_alpha,  # a float is as good
        lora_dropout=plan.dropout,
        use_dora=plan.method == "dora",
        target_modules=[target.module for target in targets(layout, plan)],
        fan_in_fan_out=layout.transposed,
        bias="none",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(plan.seed)
        peft = get_peft_model(module, config)
    peft.peft_config[NAME].base_model_name_or_path = name  # PEFT has put the module's own name there
    return peft


def write_adapter(peft: PeftModel, folder: Path) -> None:
    """adapter_config.json and adapter_model.safetensors, as PEFT writes them."""
    peft.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form


@torch.no_grad()
def merged(module: nn.Module, target: str, weight: torch.Tensor) -> torch.Tensor:
    """A target's weight with its adapter in it, in float32. `weight`: the parent's own, as it is stored.

    From these numbers, not from what computing in bfloat16 left of them. The module stays as it is.
    """
    layer: Any = module.get_submodule(target)
    base = layer.get_base_layer().weight
    before = base.data
    base.data = weight.to(before.device, torch.float32, copy=True)
    try:
        layer.merge(safe_merge=True)
        found = base.data.clone()
        layer.unmerge()
        return found  # type: ignore[no-any-return]
    finally:
        base.data = before


@torch.no_grad()
def added(module: nn.Module, target: str, weight: torch.Tensor, *, transposed: bool) -> torch.Tensor:
    """As `merged`, where the module's own weight is quantised, and lies as (out, in). `transposed`: `weight`
    lies as (in, out)."""
    layer: Any = module.get_submodule(target)
    change: torch.Tensor = layer.get_delta_weight(NAME).float()
    return weight.to(change.device, torch.float32) + (change.T if transposed else change)
