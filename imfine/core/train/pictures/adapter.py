"""LoRA and DoRA on a Stable Diffusion by PEFT, and the files that other programs read.

pytorch_lora_weights.safetensors is diffusers' (alpha is in lora_B, so that no reader has to know it);
<name>-kohya.safetensors is kohya's, for the WebUIs. Knows no training.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import nn

from imfine.core.families import Layout
from imfine.core.train.plan import Plan

if TYPE_CHECKING:
    from imfine.core.train.pictures.learner import PictureLearner

DIFFUSERS = "pytorch_lora_weights.safetensors"
KOHYA = "{}-kohya.safetensors"
PEFTS = "default"  # how PEFT calls an adapter that has no name


def attach(module: nn.ModuleDict, layout: Layout, plan: Plan) -> None:
    """Adapters in float32 on the plan's targets, neutral at first. The random half comes from the seed."""
    from imfine.core.train.pictures.learner import in_memory

    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.lora_alpha,  # a float is as good
        lora_dropout=plan.dropout,
        use_dora=plan.method == "dora",
        target_modules=list(in_memory(module, layout, plan).values()),
        bias="none",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(plan.seed)
        inject_adapter_in_model(config, module)
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def write_adapter(learner: PictureLearner, folder: Path, name: str) -> None:
    """Both files; the folder may be there already."""
    folder.mkdir(exist_ok=True)
    pairs = low_rank(learner)
    scale = learner.plan.lora_alpha / learner.plan.rank
    plain: dict[str, torch.Tensor] = {}
    kohya: dict[str, torch.Tensor] = {}
    for target, (a, b, magnitude) in pairs.items():
        plain[f"{target}.lora_A.weight"] = a
        plain[f"{target}.lora_B.weight"] = b * scale
        key = kohya_name(target, two=len(learner.encoders) > 1)
        kohya |= {
            f"{key}.lora_down.weight": a,
            f"{key}.lora_up.weight": b,
            f"{key}.alpha": torch.tensor(learner.plan.lora_alpha),
        }
        if magnitude is not None:
            plain[f"{target}.lora_magnitude_vector"] = magnitude
            kohya[f"{key}.dora_scale"] = magnitude.view(-1, *[1] * (a.dim() - 1))
    save_file(plain, folder / DIFFUSERS, metadata={"format": "pt"})
    save_file(
        kohya, folder / KOHYA.format(name), metadata={"format": "pt", "ss_network_module": "networks.lora"}
    )


def low_rank(learner: PictureLearner) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """Of each target: A (r, in), B (out, r), before alpha, and DoRA's magnitude (out). 1×1 convolutions keep
    their two further sides."""
    found = {}
    for target, place in learner.places.items():
        layer: Any = learner.module.get_submodule(place)
        magnitude = None
        if PEFTS in getattr(layer, "lora_magnitude_vector", {}):
            magnitude = _plain(layer.lora_magnitude_vector[PEFTS].weight).flatten()
        found[target] = (
            _plain(layer.lora_A[PEFTS].weight), _plain(layer.lora_B[PEFTS].weight), magnitude,
        )  # fmt: skip
    return found


def kohya_name(target: str, *, two: bool) -> str:
    """`unet.down_blocks.0…to_q` -> `lora_unet_down_blocks_0_…_to_q`; SDXL counts its encoders."""
    part, _, rest = target.partition(".")
    words = {"unet": "unet", "text_encoder": "te1" if two else "te", "text_encoder_2": "te2"}
    return f"lora_{words[part]}_{rest.replace('.', '_')}"


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().float().cpu().contiguous()
