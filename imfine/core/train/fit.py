"""How much memory a plan takes, told from shapes before any weight is read.

The forward is run on tensors without contents (FakeTensorMode) in a model of one, two and three layers, and
what autograd would keep is added up: the same operations, dtypes and shapes as in training, so no formula
that would drift. Knows no data, and no machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from imfine.core.families import TextLayout, layout
from imfine.core.memory import DTYPE_BYTES
from imfine.core.models.local import Local
from imfine.core.models.module import DTYPES
from imfine.core.train.learner import Learner, made_ready
from imfine.core.train.loss import CHUNK
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets, trainable
from imfine.errors import OutOfMemory

# What glibc's heap takes for what is kept, since what a layer needs for a moment lies between; measured on
# the Llama starter. PEFT's layers need more of it. A GPU's allocator keeps both apart.
HOLES = {"full": 1.2, "lora": 1.55, "dora": 1.55}
LIBRARIES = 150 << 20  # what torch's kernels and Python grow by in the first steps


@dataclass(frozen=True)
class Need:
    """Bytes. `weights` is all of the model; `working` is what a step holds for a moment: logits, the largest
    intermediate gradients."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int
    together: int  # at the worst moment: gradients grow as activations go

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def need(
    config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], plan: Plan, device: str = "cpu"
) -> Need:
    """Of one process, for a model's config.json and its parameters' shapes.

    Raises: Invalid when the plan does not fit the model.
    """
    where = layout(config)
    length = plan.tokens(where)
    assert isinstance(where, TextLayout)
    learned = trainable(where, shapes, plan).parameters
    frozen = sum(map(math.prod, shapes.values())) - (learned if plan.method == "full" else 0)
    weights = frozen * DTYPE_BYTES[plan.dtype] + learned * 4
    kept = _activations(config, where, plan, length)
    if device == "cpu":
        kept = round(kept * HOLES[plan.method])
    wide = max(where.intermediate_size, where.hidden_size)
    working = 3 * 4 * min(CHUNK, plan.batch * length * where.vocab_size)  # logits, their gradient, a copy
    working += 3 * 4 * plan.batch * length * wide + LIBRARIES
    gradients, optimizer = 4 * learned, 8 * learned
    grown = gradients + kept if plan.accumulation > 1 else max(gradients, kept)
    return Need(weights, gradients, optimizer, kept, working, weights + optimizer + grown + working)


def check_fits(local: Local, plan: Plan, name: str, have: int, device: str = "cpu") -> Need:
    """Raises: OutOfMemory with need, have and a plan that would fit, when `have` bytes are too few."""
    shapes = {each: tensor.shape for each, tensor in (local.tensors or {}).items()}
    found = need(local.config, shapes, plan, device)
    if found.together <= have:
        return found
    for words, smaller in _smaller(plan, plan.tokens(local.layout)):
        other = need(local.config, shapes, smaller, device)
        if other.together <= have:
            change = {key: value for key, value in smaller.to_json().items() if plan.to_json()[key] != value}
            remedy = f"{words} ({other.together / 1e9:.1f} GB)"
            break
    else:
        change, remedy = {}, "choose a smaller model, or free memory"
    raise OutOfMemory(
        f"training {name} so needs {found.together / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are free",
        remedy=remedy,
        field="plan",
        need=found.together,
        have=have,
        change=change,
    )


def _smaller(plan: Plan, length: int) -> list[tuple[str, Plan]]:
    """What learns the same first, then what learns less."""
    one = replace(plan, batch=1, accumulation=min(1024, plan.batch * plan.accumulation))
    light = replace(one, checkpointing=True)
    short = replace(light, length=max(8, length // 4))
    lora = replace(light, method="lora")
    tiny = replace(short, method="lora", dtype="bfloat16")
    steps = f"batch 1 with {one.accumulation} accumulated"
    return [
        (f"choose {steps}", one),
        (f"choose {steps} and checkpointing", light),
        (f"choose LoRA, {steps} and checkpointing", lora),
        (f"choose a length of {short.length}, {steps} and checkpointing", short),
        (f"choose LoRA in bfloat16, a length of {tiny.length}, {steps} and checkpointing", tiny),
    ]


def _activations(config: Mapping[str, Any], where: TextLayout, plan: Plan, length: int) -> int:
    """What autograd keeps from forward to backward. Layers below the first trained one keep nothing."""

    def kept(plan: Plan, layers: int, trained: int) -> int:
        return _kept(
            config,
            replace(where, bands=where.bands[:layers]),
            replace(plan, layers=tuple(range(trained))),
            length,
        )

    trained = sorted({target.layer for target in targets(where, plan)})
    with_, between = len(trained), where.layers - trained[0] - len(trained)
    one = kept(plan, 1, 1)
    each = kept(plan, 2, 2) - one
    frozen = kept(plan, 2, 1) - one if between else 0
    total = one - each + with_ * each + between * frozen
    if plan.checkpointing:  # one layer is computed again, and held whole
        plain = replace(plan, checkpointing=False)
        total += kept(plain, 2, 2) - kept(plain, 1, 1)
    return total


def _kept(asked: Mapping[str, Any], where: TextLayout, plan: Plan, length: int) -> int:
    """Bytes that a model of the config, but of `where`'s few layers, keeps for one batch of `plan`."""
    config: Any = transformers.AutoConfig.for_model(**_plain(asked))
    config.num_hidden_layers = where.layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: where.layers]
    local = Local(Path(), dict(asked), where, None, 0, 0, None, {})
    with torch.device("meta"):
        module: Any = getattr(transformers, where.architecture)._from_config(
            config, dtype=DTYPES[plan.dtype], attn_implementation="sdpa"
        )
        learner = made_ready(module, local, plan, "fit", read=False)
    mode = FakeTensorMode()
    hollow = {
        name: FakeTensor(mode, tensor, torch.device("cpu")).requires_grad_(tensor.requires_grad)
        for name, tensor in [*learner.named_parameters(), *learner.named_buffers()]
    }
    own = {tensor.untyped_storage()._cdata for tensor in hollow.values()}
    found: dict[int, Any] = {}  # the storages themselves, so that none takes the place of one that went

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        found[storage._cdata] = storage
        return tensor

    with mode:
        ids = torch.zeros(plan.batch, length, dtype=torch.long)
        positions = torch.arange(length).repeat(plan.batch, 1)
    with mode, saved_tensors_hooks(keep, lambda tensor: tensor):
        functional_call(
            _Hidden(learner), {f"learner.{name}": t for name, t in hollow.items()}, (ids, positions)
        )
    return sum(storage.nbytes() for key, storage in found.items() if key not in own)


class _Hidden(nn.Module):
    """The learner without its loss, whose shapes depend on what is in a batch."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return self.learner.hidden(ids, positions)


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in config.items() if key not in ("architectures", "dtype", "torch_dtype")
    }
