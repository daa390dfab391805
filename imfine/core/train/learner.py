"""A model made ready to learn: read, frozen but for the plan's targets, wrapped so that a batch gives a loss.

What is trained is kept in float32 however the rest is kept, and starts from the file's own numbers. Knows
no data, no optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel

from imfine.core.events import Phase
from imfine.core.families import name_in
from imfine.core.models.local import Local, read_local
from imfine.core.models.module import read_module
from imfine.core.models.weights import prefix_of, read_folder
from imfine.core.quantised import check_available, method_of
from imfine.core.train.heap import return_large_pieces
from imfine.core.train.loss import summed_loss
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets
from imfine.errors import Invalid, ModelRefused


class Parent(Protocol):
    """The model to train: a LoadedModel, or a Source. `path` is a folder of safetensors."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def checksum(self) -> str: ...


class Learner(nn.Module):
    """`module` is transformers' own, with PEFT's layers in it where the method has some."""

    def __init__(self, module: PreTrainedModel, local: Local, plan: Plan, peft: Any = None) -> None:
        super().__init__()
        self.module = module
        self.local = local
        self.plan = plan
        self.peft = [peft]  # in a list: its parameters are the module's, and count once

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """All (B, L). Returns the loss summed over the targets, in nats."""
        return summed_loss(self.hidden(ids, positions), self.module.get_output_embeddings(), labels)

    def hidden(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """After the last norm. (B, L), (B, L) -> (B, L, D)"""
        base = getattr(self.module, self.module.base_model_prefix)
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.plan.dtype == "bfloat16"):
            found = base(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
        return found  # type: ignore[no-any-return]

    def answer(self, ids: torch.Tensor, tokens: int, *, together: bool) -> torch.Tensor:
        """Greedily, up to so many tokens more. (1, T) -> (1, T + n). `together`: all processes do it."""
        module: Any = self.module
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.plan.dtype == "bfloat16"):
            return module.generate(  # type: ignore[no-any-return]
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=0,  # one prompt has no padding; transformers would warn
                synced_gpus=together,
            )

    def merged(self, target: str, weight: torch.Tensor) -> torch.Tensor:
        """A target's weight with its adapter in it, in float32; `weight`: the parent's own, as stored."""
        from imfine.core.train.adapter import added, merged

        if self.plan.method == "qlora":
            return added(self.module, target, weight, transposed=self.local.layout.transposed)
        return merged(self.module, target, weight)

    def write_adapter(self, folder: Path, name: str) -> None:
        from imfine.core.train.adapter import write_adapter

        write_adapter(self.peft[0], folder)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """By their names in `module`."""
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}


def open_learner(parent: Parent, plan: Plan, device: torch.device) -> Iterator[Phase | Learner]:
    """Yields bytes read, and last the learner, in training mode.

    Raises: ModelBroken, ModelRefused (a GGUF file, quantised weights), Invalid (a plan that does not fit, or
        qlora without bitsandbytes).
    """
    local = read_local(parent.path)
    if local.tensors is None:
        raise ModelRefused(
            f"{parent.path.name} is a GGUF file",
            remedy="choose a model of safetensors, or the folder that was made of it",
            field="model",
        )
    check_plain(parent.id, local.config)
    check_method(plan)
    module: PreTrainedModel | None = None
    nf4 = plan.method == "qlora"
    if nf4 and device.type == "cpu":
        return_large_pieces()
    for step in read_module(parent.path, local.layout, plan.dtype, str(device), nf4=nf4):
        if isinstance(step, Phase):
            yield step
        else:
            module = step
    assert module is not None, "read_module yields the module last"
    yield made_ready(module, local, plan, parent.id)


def check_plain(name: str, config: Mapping[str, Any]) -> None:
    """Raises: ModelRefused for quantised weights: what is learned could not be written into them."""
    if (method := method_of(config)) is not None:
        raise ModelRefused(
            f"{name} is quantised ({method})",
            remedy="train its unquantised version; with method qlora that takes as little memory",
            field="model",
            value=name,
        )


def check_method(plan: Plan) -> None:
    """Raises: Invalid when this machine lacks what the plan's method is made with."""
    if plan.method == "qlora":
        check_available(Invalid, "method qlora", "use lora", "plan.method", plan.method)


def made_ready(module: PreTrainedModel, local: Local, plan: Plan, name: str, *, read: bool = True) -> Learner:
    """`module` is `local`'s in the plan's dtype. `read`: masters from the file, not from it."""
    module.requires_grad_(False)
    module.config.pad_token_id = None  # positions say what is padding; transformers would miss a mask
    peft = None
    if plan.method == "full":
        _open_weights(module, local, plan, read=read)
    else:
        from imfine.core.train.adapter import attach

        peft = attach(module, local.layout, plan, name)
    module.config.pad_token_id = None  # nothing is padded: transformers would warn of a text's last token
    if plan.checkpointing:
        module.activation_checkpointing_enable({"use_reentrant": False})
    return Learner(module, local, plan, peft).train()


def _open_weights(module: PreTrainedModel, local: Local, plan: Plan, *, read: bool) -> None:
    """The targets become float32 masters. From the file: bfloat16 would lose what float16 had."""
    wanted = [
        f"{target.module}.{kind}" for target in targets(local.layout, plan) for kind in ("weight", "bias")
    ]
    names = {name for name, _ in module.named_parameters()}
    there = [name for name in wanted if name in names]
    tensors = (
        source_tensors(local.path, there) if read else ((name, module.get_parameter(name)) for name in there)
    )
    for parameter, tensor in tensors:
        owner, _, leaf = parameter.rpartition(".")
        device = module.get_parameter(parameter).device
        setattr(module.get_submodule(owner), leaf, nn.Parameter(tensor.detach().to(device, torch.float32)))


def source_tensors(folder: Path, parameters: list[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """(parameter, tensor as stored) of a model's folder; what is not stored is left out."""
    tensors = read_folder(folder)
    where = {parameter: name_in(tensors, parameter) for parameter in parameters}
    for file in sorted({tensors[name].file for name in where.values() if name}):
        with safe_open(file, framework="pt") as source:
            for parameter, name in where.items():
                if name and tensors[name].file == file:
                    yield parameter, source.get_tensor(name.removeprefix(prefix_of(file, folder)))
