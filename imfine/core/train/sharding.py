"""A text model split over the processes of a launch (FSDP): each holds a part of every tensor, and a layer is
whole only while something is computed with it.

By torch's fully_shard (FSDP: Zhao et al. 2023, arXiv 2304.11277), which is called here and not by accelerate:
that has it for GPUs alone. The optimizer is made later, so that its numbers are parts as well. What goes to
the disk is gathered first, so that no file tells how it was trained; gathering is work for all processes
alike. Knows a learner and the launch, no run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from accelerate import DistributedType
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from imfine.core.families import Layout, TextLayout
from imfine.core.train.learner import Learner
from imfine.core.train.plan import Plan
from imfine.errors import SetupError


def parts() -> int:
    """In how many parts the launch splits a model, one a process; 1: not at all."""
    asked = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return int(os.environ.get("WORLD_SIZE", "1")) if asked else 1


def check_launch(kind: DistributedType) -> None:
    """Raises: SetupError where the model would be split in another way than is done here."""
    if kind in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise _refused(f"training was launched with {kind.value}, which is not built in")
    if parts() == 1:
        return
    if (version := os.environ.get("FSDP_VERSION", "1")) != "2":
        raise _refused(f"training was launched with version {version} of FSDP; there is version 2 only")
    if os.environ.get("FSDP_OFFLOAD_PARAMS", "false").lower() == "true":
        raise _refused("training was launched with fsdp_offload_params, which is not built in")


def check_splittable(layout: Layout, plan: Plan) -> None:
    """Raises: SetupError where the launch splits models, and this one cannot be."""
    if parts() > 1 and (layout.kind == "image" or plan.method == "qlora"):
        what = "pictures" if layout.kind == "image" else "method qlora"
        raise SetupError(
            f"training was launched with FSDP, which is not built in for {what}",
            remedy="launch it with distributed_type MULTI_GPU (examples/gpus.yaml)",
        )


def _refused(fact: str) -> SetupError:
    return SetupError(
        fact,
        remedy="launch it with distributed_type FSDP and fsdp_version 2 (examples/gpus-fsdp.yaml), or with "
        "MULTI_GPU (examples/gpus.yaml) where a GPU can hold the whole model",
    )


def place_to_read(device: torch.device) -> torch.device:
    """Where a model is read: no GPU shall hold it whole that gets a part of it."""
    if parts() == 1:
        return device
    # With it transformers would give weights to the first process alone.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    return torch.device("cpu")


def split(learner: Learner, device: torch.device) -> None:
    """Leaves each process its part of `learner`, on `device`: layer after layer, then the rest as one group.

    Outside of a forward and its backward every parameter is a DTensor, a part along its first dimension.
    """
    layout = learner.local.layout
    assert isinstance(layout, TextLayout)
    mesh = init_device_mesh(device.type, (parts(),))
    layers = learner.module.get_submodule(layout.row.stack)
    for layer in layers.children():
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard(learner, mesh=mesh, reshard_after_forward=True)
    register_fsdp_forward_method(learner, "answer")


def is_split(module: nn.Module) -> bool:
    return isinstance(module, FSDPModule)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor that is split, itself otherwise. All processes have to ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Mapping[str, torch.Tensor], *, keep: bool) -> dict[str, torch.Tensor]:
    """Each whole, on the CPU; {} for a process that does not `keep` them, but has to ask as well."""
    kept: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        full = whole(tensor.detach())  # one at a time on the device
        if keep:
            kept[name] = full.cpu()
    return kept


def part_of(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """What a process holds of a whole `tensor` where it holds `like`; on `like`'s device. A single number
    is never split."""
    tensor = tensor.to(like.device)
    if not isinstance(like, DTensor) or tensor.dim() == 0:
        return tensor
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def make_whole(module: nn.Module, trained: Mapping[str, torch.Tensor]) -> None:
    """Gives the parameters of these names their whole tensors, and all others empty ones: enough to write a
    result with, and no longer something to train."""
    for name, parameter in list(module.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        tensor = trained[name] if name in trained else torch.empty(0, dtype=parameter.dtype)
        setattr(module.get_submodule(owner), leaf, nn.Parameter(tensor, parameter.requires_grad))
