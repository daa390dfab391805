"""What autograd keeps of a forward, in bytes, told without a number in any tensor (FakeTensorMode)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call


def held(module: nn.Module, arguments: Callable[[], tuple[torch.Tensor, ...]]) -> int:
    """Bytes kept from a forward of `module`, which is on the meta device, to its backward; its own parameters
    and buffers are not counted. `arguments` makes what it is called with."""
    mode = FakeTensorMode()
    hollow = {
        name: FakeTensor(mode, tensor, torch.device("cpu")).requires_grad_(tensor.requires_grad)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
    own = {tensor.untyped_storage()._cdata for tensor in hollow.values()}
    found: dict[int, Any] = {}  # the storages themselves, so that none takes the place of one that went

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        found[storage._cdata] = storage
        return tensor

    with mode:
        given = arguments()
    with mode, saved_tensors_hooks(keep, lambda tensor: tensor):
        functional_call(module, hollow, given)
    return sum(storage.nbytes() for key, storage in found.items() if key not in own)
