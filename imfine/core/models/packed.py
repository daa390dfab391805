"""A second copy of a small model's matrices, laid out as the processor's kernels want them.

torch hands a bfloat16 product to oneDNN with the weight as it lies in the file, and oneDNN rearranges it at
every call: a third of the time of a short product. Kept rearranged it gives the same bits. A float32 product
goes to the BLAS, which reads the weight twice as slowly for a row or two as oneDNN reads it rearranged, and
whose bits depend on how many rows there are; oneDNN's do not. Either is checked on this processor before it
is used. It takes twice the memory, so it is done for small models only; see memory.packs. What inductor does
when it freezes a model, for the eager one. The parameters themselves stay as they are.
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
    """Packs every Linear of a model on the CPU. False, and nothing done, where a product would be another."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    linears = [each for each in module.modules() if type(each) is nn.Linear]
    shapes = {(linear.weight.shape, linear.bias is None): linear for linear in linears}
    if not all(_agrees(linear) for linear in shapes.values()):
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
def _agrees(linear: nn.Linear) -> bool:
    """In bfloat16: the same bits. In float32: as exact as such a sum can be, a row's bits the same beside any
    number of others."""
    in_bfloat16 = linear.weight.dtype == torch.bfloat16
    if in_bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    packed = rearranged(linear.weight)
    dice = torch.Generator().manual_seed(0)
    x = torch.randn(1, TRIED_ROWS[-1], linear.in_features, generator=dice).to(linear.weight.dtype)
    tried = {rows: multiply(x[:, :rows], packed, linear.bias) for rows in TRIED_ROWS}
    if in_bfloat16:
        return all(torch.equal(product, linear(x[:, :rows])) for rows, product in tried.items())
    whole = tried[TRIED_ROWS[-1]]
    return _within_rounding(linear, x, whole) and all(
        torch.equal(product, whole[:, :rows]) for rows, product in tried.items()
    )


def _within_rounding(linear: nn.Linear, x: Tensor, product: Tensor) -> bool:
    """No partial sum is longer than ‖x‖‖w‖, and each of n roundings goes up or down by chance."""
    rounding = torch.finfo(torch.float32).eps * linear.in_features**0.5
    allowed = rounding * (x.norm(dim=-1, keepdim=True) * linear.weight.norm(dim=1) + 1)
    return bool(((product - linear(x)).abs() <= allowed).all())
