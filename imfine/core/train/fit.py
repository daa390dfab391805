"""How much memory a plan takes, told from shapes before any weight is read.

The forward is run on tensors without contents (FakeTensorMode) in a model of one, two and three layers, and
what autograd would keep is added up: the same operations, dtypes and shapes as in training, so no formula
that would drift. Knows no data, and no machine.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from imfine.core.memory import DTYPE_BYTES
from imfine.core.models.local import Local
from imfine.core.models.module import DTYPES
from imfine.core.train.learner import Learner, made_ready
from imfine.core.train.loss import CHUNK
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets, trainable
from imfine.errors import OutOfMemory

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


def need(local: Local, plan: Plan) -> Need:
    """Of one process. Raises: Invalid when the plan does not fit the model."""
    assert local.tensors is not None, "a folder of safetensors"
    layout, length = local.layout, plan.tokens(local.layout)
    shapes = {name: tensor.shape for name, tensor in local.tensors.items()}
    learned = trainable(layout, shapes, plan).parameters
    frozen = sum(map(math.prod, shapes.values())) - (learned if plan.method == "full" else 0)
    weights = frozen * DTYPE_BYTES[plan.dtype] + learned * 4
    kept = _activations(local, plan, length)
    wide = max(layout.intermediate_size, layout.hidden_size)
    working = 3 * 4 * min(CHUNK, plan.batch * length * layout.vocab_size)  # logits, their gradient, a copy
    working += 3 * 4 * plan.batch * length * wide + LIBRARIES
    gradients, optimizer = 4 * learned, 8 * learned
    grown = gradients + kept if plan.accumulation > 1 else max(gradients, kept)
    return Need(weights, gradients, optimizer, kept, working, weights + optimizer + grown + working)


def check_fits(local: Local, plan: Plan, name: str, have: int) -> Need:
    """Raises: OutOfMemory with need, have and a plan that would fit, when `have` bytes are too few."""
    found = need(local, plan)
    if found.together <= have:
        return found
    for words, smaller in _smaller(plan, plan.tokens(local.layout)):
        other = need(local, smaller)
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


def _activations(local: Local, plan: Plan, length: int) -> int:
    """What autograd keeps from forward to backward. Layers below the first trained one keep nothing."""
    layout = local.layout
    trained = sorted({target.layer for target in targets(layout, plan)})
    with_, between = len(trained), layout.layers - trained[0] - len(trained)
    one, two = (_kept(local, plan, length, layers, trained=layers) for layers in (1, 2))
    each = two - one
    frozen = _kept(local, plan, length, 2, trained=1) - one if between else 0
    total = one - each + with_ * each + between * frozen
    if plan.checkpointing:  # one layer is computed again, and held whole
        plain = replace(plan, checkpointing=False)
        total += _kept(local, plain, length, 2, trained=2) - _kept(local, plain, length, 1, trained=1)
    return total


def _kept(local: Local, plan: Plan, length: int, layers: int, trained: int) -> int:
    """Bytes kept by a model of so many layers, the first `trained` of them with the plan's targets."""
    layout = replace(local.layout, layers=layers)
    few = replace(plan, layers=tuple(range(trained)))
    config: Any = transformers.AutoConfig.for_model(**_plain(local.config))
    setattr(config, layout.row.keys.get("num_hidden_layers", "num_hidden_layers"), layers)
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    with torch.device("meta"):
        module: Any = getattr(transformers, layout.architecture)._from_config(
            config, dtype=DTYPES[plan.dtype], attn_implementation="sdpa"
        )
        learner = made_ready(module, replace(local, layout=layout), few, "fit", read=False)
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


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in config.items() if key not in ("architectures", "dtype", "torch_dtype")
    }
