"""bitsandbytes' weights in a transformers module: made of plain ones as they are read, or as a folder has
them.

NF4 with double quantisation (QLoRA, arXiv 2305.14314): a matrix is cut into blocks of 64 numbers of 4 bits;
each block has a scale, which is kept in 8 bits. The output layer stays as it is, as transformers leaves it. A
module made here equals transformers' own bit for bit (held by tests).

On processors with AVX512-BF16 bitsandbytes rewrites a 4-bit matrix in place when the first answer passes it,
computes in bfloat16 from then on, and cannot be trained any more: `kept_as_read` keeps it from doing so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from imfine.core.families import Layout, name_in
from imfine.core.models.weights import read_folder
from imfine.core.quantised import check_available, method_of
from imfine.errors import ModelRefused

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would warn of every product in 8 bits
BLOCK = 64  # numbers that share a scale
SCALES = 256  # scales that share one of their own
TABLES = 4 * (16 + 256 + 1)  # bytes of a matrix's two code books and the scales' mean
NF4 = {
    "quant_method": "bitsandbytes",
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "llm_int8_skip_modules": None,
}


def nf4_bytes(numbers: int) -> int:
    """Of a matrix: 4 bits a number, 8 a block's scale, float32 for the scales of these."""
    blocks = -(-numbers // BLOCK)
    return -(-numbers // 2) + blocks + 4 * -(-blocks // SCALES) + TABLES


class Nf4:
    """Quantises a folder's matrices one by one, on `device`: never all of the model in full."""

    def __init__(self, folder: Path, where: Layout, config: Any, dtype: torch.dtype, device: str) -> None:
        with torch.device("meta"):
            module = getattr(transformers, where.architecture)._from_config(config)
        tensors = read_folder(folder)
        # by their names in the files: whether the matrix lies there as (in, out)
        self._matrices = {
            stored: isinstance(layer, Conv1D)
            for name, layer in matrices(module).items()
            if (stored := name_in(tensors, f"{name}.weight")) is not None
        }
        # One place for each matrix in turn: places of their own would leave holes that are never filled.
        largest = max((tensors[name].size for name in self._matrices), default=0)
        self._in_full = torch.empty(largest, dtype=dtype, device=device)

    def __call__(self, name: str, tensor: Tensor) -> Mapping[str, Tensor]:
        """A tensor as stored, under the names that transformers keeps quantised ones by."""
        from bitsandbytes.functional import quantize_4bit

        if name not in self._matrices:
            return {name: tensor.to(self._in_full.device, self._in_full.dtype, copy=True)}
        matrix = tensor.T if self._matrices[name] else tensor
        plain = self._in_full[: matrix.numel()].view(matrix.shape).copy_(matrix)
        packed, state = quantize_4bit(plain, blocksize=BLOCK, compress_statistics=True, quant_type="nf4")
        more = {f"{name}.{key}": each for key, each in state.as_dict(packed=True).items()}
        return {name: packed, **more}


def matrices(module: Any) -> dict[str, nn.Module]:
    """The modules that are quantised, by name: every matrix but the output layer's."""
    head = module.get_output_embeddings()
    return {
        name: layer
        for name, layer in module.named_modules()
        if (type(layer) is nn.Linear or isinstance(layer, Conv1D)) and layer is not head
    }


def shapes_in(module: nn.Module, *, transposed: bool) -> dict[str, tuple[int, ...]]:
    """Of its parameters, by name; of quantised matrices those that their plain model has. `transposed`: the
    family stores matrices as (in, out)."""
    shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear) and not layer.weight.is_floating_point():
            shape = (layer.out_features, layer.in_features)
            shapes[f"{name}.weight"] = shape[::-1] if transposed else shape
    return shapes


def kept_as_read(module: nn.Module) -> None:
    """Its 4-bit matrices stay what they are, and compute in the dtype that comes in."""
    for layer in module.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def check_readable(name: str, config: Mapping[str, Any]) -> None:
    """Whether a folder's quantised weights can be used as they are. Raises: ModelRefused."""
    method, instead = method_of(config), "choose its unquantised version"
    if method != "bitsandbytes":
        raise ModelRefused(
            f"{name} is quantised ({method})",
            remedy=f"{instead}; of quantised ones only bitsandbytes' can be used as they are",
            field="model",
            value=name,
        )
    check_available(ModelRefused, f"{name} is quantised: it", instead, "model", name)
