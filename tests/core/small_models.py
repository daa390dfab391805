"""Small random models of every row of the table, for tests: biases not zero, norm weights not one, GQA."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from imfine.core.families import TextLayout, layout
from imfine.core.families.text import TEXT

COMMON = {
    "vocab_size": 96,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GQA = {**COMMON, "num_key_value_heads": 2, "head_dim": 8}
CONFIGS: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {**GQA, "attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-5},
    "GPT2LMHeadModel": {
        "vocab_size": 96,
        "n_embd": 48,
        "n_layer": 3,
        "n_head": 6,
        "n_positions": 128,
        "n_inner": 80,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "MistralForCausalLM": {**GQA, "sliding_window": None},
    "Qwen2ForCausalLM": GQA,
    "Qwen3ForCausalLM": {**GQA, "head_dim": 16, "attention_bias": True},
    "GemmaForCausalLM": {**GQA, "head_dim": 16, "attention_bias": True},
    "GPTNeoXForCausalLM": {**COMMON, "use_parallel_residual": True},
    "Phi3ForCausalLM": {**GQA, "rms_norm_eps": 1e-5},
}
ARCHITECTURES = tuple(row.architecture for row in TEXT)


def small_model(architecture: str, seed: int = 0, **changes: Any) -> tuple[nn.Module, TextLayout]:
    """A random model in float32 whose every part is felt in its logits, and its layout."""
    torch.manual_seed(seed)
    model_type = next(row.model_type for row in TEXT if row.architecture == architecture)
    config = AutoConfig.for_model(model_type, **{**CONFIGS[architecture], **changes})
    config.architectures = [architecture]
    module = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
            elif "norm" in name or ".ln_" in name:
                parameter.normal_(0.0 if architecture == "GemmaForCausalLM" else 1.0, 0.3)
            elif parameter.dim() == 2:
                parameter.normal_(0, 0.15)
    return module, layout(module.config.to_dict())


def prompt(rows: int = 1, length: int = 7, seed: int = 1) -> torch.Tensor:
    """The same random tokens in every row. (rows, length)"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 96, (1, length), generator=generator).expand(rows, -1).contiguous()


@torch.no_grad()
def logits(module: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = module(ids).logits  # (B, T, V)
    return out
