"""A second copy of a small model's matrices, laid out as the processor's kernels want them.

torch hands a bfloat16 product to oneDNN with the weight as it lies in the file, and oneDNN rearranges it at
every call: a third of the time of a short product. Kept rearranged it gives the same bits (checked on this
processor before it is used) for twice the memory, so it is done for small models only; see memory.packs. What
inductor does when it freezes a model, for the eager one. The parameters themselves stay as they are.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

HINTED_ROWS = 32  # a layout chosen for one row rounds otherwise for many
TRIED_ROWS = (1, 2, 25, 40, 130)  # a step of few and of many lanes, a prompt, a reference text


class PackedLinear(nn.Linear):
    """x (…, in) -> (…, out), by the packed copy. A deep copy of it is a plain Linear: whoever copies a model
    means to change its weights."""

    packed: Tensor

    def forward(self, input: Tensor) -> Tensor:
        return multiply(input, self.packed, self.bias)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Linear:
        copied = nn.Linear.__new__(nn.Linear)
        memo[id(self)] = copied
        state = {key: value for key, value in self.__dict__.items() if key not in ("packed", "forward")}
        copied.__dict__.update(deepcopy(state, memo))
        return copied


def pack(module: nn.Module) -> bool:
    """Packs every Linear of a bfloat16 model on the CPU. False, and nothing done, where it would not be the
    same bits."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    linears = [each for each in module.modules() if type(each) is nn.Linear]
    shapes = {(linear.weight.shape, linear.bias is None): linear for linear in linears}
    if not all(_same_bits(linear) for linear in shapes.values()):
        return False
    for linear in linears:
        linear.packed = rearranged(linear.weight)
        linear.__class__ = PackedLinear
    return True


@torch.inference_mode()
def rearranged(weight: Tensor) -> Tensor:
    """(out, in) -> the same, opaque to all but `multiply`."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), HINTED_ROWS)
    return packed


def multiply(x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return product


@torch.inference_mode()
def _same_bits(linear: nn.Linear) -> bool:
    packed = rearranged(linear.weight)
    dice = torch.Generator().manual_seed(0)
    for rows in TRIED_ROWS:
        x = torch.randn(1, rows, linear.in_features, generator=dice).to(linear.weight.dtype)
        if not torch.equal(linear(x), multiply(x, packed, linear.bias)):
            return False
    return True
