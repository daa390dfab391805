"""Small models in 8 and 4 bits, for tests: as transformers writes them, with bitsandbytes on the CPU."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from imfine.core.quantised import available

needs_bitsandbytes = pytest.mark.skipif(
    not available(), reason="bitsandbytes is not installed here; `make check` brings it"
)
BITS = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}  # and the layers they make
QLORA = pytest.param("qlora", marks=needs_bitsandbytes)


def asked(bits: str, **changes: Any) -> BitsAndBytesConfig:
    """`bits`: nf4 or int8."""
    if bits == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, **changes)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32, **changes,
    )  # fmt: skip


def theirs(folder: Path, bits: str | None = None, **changes: Any) -> Any:
    """transformers' own module in float32; with `bits` it quantises plain weights."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of every product
    config = {} if bits is None else {"quantization_config": asked(bits, **changes)}
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, device_map={"": "cpu"}, **config
    ).eval()


def save_quantised(plain: Path, folder: Path, bits: str, **changes: Any) -> None:
    theirs(plain, bits, **changes).save_pretrained(folder)
    AutoTokenizer.from_pretrained(plain).save_pretrained(folder)


def matrix_of(layer: Any) -> torch.Tensor:
    """The numbers that a quantised matrix stands for, in float32, (out, in)."""
    if type(layer).__name__ == BITS["int8"]:
        return layer.weight.data.float() * layer.weight.SCB[:, None] / 127
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
