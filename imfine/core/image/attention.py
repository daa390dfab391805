"""Attention as two batched products where that is the quicker way on a CPU: few tokens and small heads.

torch's flash kernel for the CPU is made for long rows; at 64 and 16 tokens its blocks are mostly empty. Where
the scores would be large it is used as before. The numbers agree to rounding. Knows no recipes: q, k, v and
the output go through the same modules, with whatever hooks are on them.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor

MOST_SCORES = 2**20  # of a row's heads together: 8 heads of 362 × 362


class SmallAttention:
    """An attention processor as diffusers calls it."""

    def __init__(self) -> None:
        self._products: Any = AttnProcessor()
        self._fused: Any = AttnProcessor2_0()  # type: ignore[no-untyped-call]

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        tokens = hidden_states[0].numel() // hidden_states.shape[1 if hidden_states.ndim == 4 else -1]
        keys = tokens if encoder_hidden_states is None else encoder_hidden_states.shape[1]
        small = attn.heads * tokens * keys <= MOST_SCORES
        process = self._products if small else self._fused
        out: Tensor = process(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        return out


def quicken(unet: Any) -> None:
    """Puts it on a UNet that runs on a CPU; once is enough, again does nothing."""
    processors = unet.attn_processors
    on_cpu = next(unet.parameters()).device.type == "cpu"
    if on_cpu and any(isinstance(each, AttnProcessor2_0) for each in processors.values()):
        with torch.no_grad():
            unet.set_attn_processor(SmallAttention())
