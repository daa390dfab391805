"""A delta's tensors read into memory, one module at a time: for a live product, or for a bake's weights.

Every number is checked to be finite here: 0 · ∞ would reach the rows that do not have the delta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from imfine.core.deltas.found import Delta
from imfine.core.deltas.live import Change, Product
from imfine.core.models.packed import PackedLinear, multiply, rearranged
from imfine.core.models.weights import TensorInfo
from imfine.errors import AdapterError

Original = Callable[[str], Tensor]  # "weight" or "bias" -> the module's own, as it is stored
LOW_RANK = torch.float32  # a Linear's A and B, as in peft; bfloat16's addmm is slower on a processor
NORM_AXIS = 1  # DoRA's lengths are those of the rows of W (out, in)


def read(info: TensorInfo) -> Tensor:
    """As it is stored. Raises: AdapterError when a number is not finite."""
    with safe_open(info.file, framework="pt") as source:
        tensor: Tensor = source.get_tensor(info.name)
    if not bool(torch.isfinite(tensor).all()):
        raise AdapterError(
            f"{info.file.name} has numbers in {info.name} that are not finite",
            remedy="make it again; nothing can be computed with them",
            field="adapter",
            value=info.name,
        )
    return tensor


def change_of(
    delta: Delta, name: str, module: nn.Module, dtype: torch.dtype, original: Original, *, whole: bool
) -> Change:
    """What `delta` is for one module of the model, to compute in `dtype`. `whole`: W′ too, where low-rank
    matrices would do.

    Raises: AdapterError.
    """
    pair, end = delta.pairs.get(name), delta.ends.get(name)
    device = next(module.parameters()).device

    def placed(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype)

    shift = _shift(delta, name, original)
    if shift is not None:
        shift = shift.to(device)
    product = None
    if end is not None and (pair is None or whole):
        bias = None if end.bias is None else placed(read(end.bias))
        product = _product(module, placed(read(end.weight)), bias)
    elif pair is not None and pair.magnitude is not None:
        weight = whole_weight(delta, name, original("weight"), turned=isinstance(module, Conv1D))
        bias = None if shift is None else placed(original("bias").float() + shift.cpu())
        product = _product(module, placed(weight), bias)
    if pair is None or pair.a is None or pair.b is None or pair.magnitude is not None:
        return Change(end=product, shift=shift)
    down, up = read(pair.a), read(pair.b)
    if isinstance(module, nn.Conv2d):
        down = placed(down).reshape(-1, *module.weight.shape[1:])  # (r, in, kh, kw)
        up = placed(up).reshape(*up.shape[:2], 1, 1)
    else:
        down, up = down.flatten(1), up.flatten(1).t().contiguous()  # (r, in), (r, out)
        down, up = down.to(device, LOW_RANK), up.to(device, LOW_RANK)
    return Change(down, up, pair.scale, product, shift)


def tuned(old: Tensor, changes: Sequence[tuple[Delta, float]], name: str, of: str, *, turned: bool) -> Tensor:
    """A module's stored weight or bias (`of`) with its deltas in it: W₀ + Σ δ·ΔW, in float32 or better.
    δ = 1 of one alone that was trained is the trained tensor itself. `turned`: stored as (in, out)."""
    if len(changes) == 1 and changes[0][1] == 1.0 and name in changes[0][0].ends:
        end = changes[0][0].ends[name]
        info = end.weight if of == "weight" else end.bias
        return old if info is None else read(info)
    exact = torch.promote_types(old.dtype, torch.float32)
    new = old.to(exact)
    for delta, strength in changes:
        if of == "weight":
            new = new + strength * (whole_weight(delta, name, old, turned=turned).to(exact) - old.to(exact))
        elif (shift := _shift(delta, name, lambda _: old)) is not None:
            new = new + strength * shift
    return new


def whole_weight(delta: Delta, name: str, own: Tensor, *, turned: bool) -> Tensor:
    """W′ as δ = 1 has it, as `own` is stored: `turned` (in, out). In float32 where it is computed."""
    pair, end = delta.pairs.get(name), delta.ends.get(name)
    if pair is None or pair.a is None or pair.b is None:
        return own if end is None else read(end.weight)
    weight = own.float().t() if turned else own.float()  # (out, in, …)
    product = read(pair.b).float().flatten(1) @ read(pair.a).float().flatten(1)
    summed = weight + pair.scale * product.view(weight.shape)
    if pair.magnitude is not None:
        lengths = summed.flatten(1).norm(dim=NORM_AXIS)  # (out,)
        ratio = read(pair.magnitude).float().flatten() / lengths
        summed = summed * ratio.view(-1, *[1] * (summed.dim() - 1))
    return summed.t() if turned else summed


def _shift(delta: Delta, name: str, original: Original) -> Tensor | None:
    """b′ − b₀ (out,) in float32; None: the bias stays."""
    pair, end = delta.pairs.get(name), delta.ends.get(name)
    if pair is not None and pair.bias is not None:
        return read(pair.bias).float() - original("bias").float()
    if pair is not None and pair.added is not None:
        return pair.scale * read(pair.added).float()
    if end is not None and end.bias is not None:
        return read(end.bias).float() - original("bias").float()
    return None


def _product(module: nn.Module, weight: Tensor, bias: Tensor | None) -> Product:
    """x -> W′x + b′ by the very operation of the module. `bias` None: the module's own."""
    own = module.bias
    assert own is None or isinstance(own, Tensor)
    bias = own if bias is None else bias
    if isinstance(module, PackedLinear):
        return partial(_packed, packed=rearranged(weight), bias=bias)
    if isinstance(module, nn.Conv2d):
        return partial(module._conv_forward, weight=weight, bias=bias)
    if isinstance(module, Conv1D):
        assert bias is not None
        return partial(_conv1d, weight=weight, bias=bias)
    return partial(functional.linear, weight=weight, bias=bias)


def _packed(x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    return multiply(x, packed, bias)


def _conv1d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """As transformers' Conv1D: weight (in, out)."""
    product = torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight)
    return product.view(*x.shape[:-1], weight.shape[1])
