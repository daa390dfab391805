"""How much memory a plan takes, told from shapes before any weight is read.

The forward is run on tensors without contents (FakeTensorMode) in a model of one, two and three layers, and
what autograd would keep is added up: the same operations, dtypes and shapes as in training, so no formula
that would drift. Knows no data, and no machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from imfine.core.families import ImageLayout, Layout, TextLayout, layout, stored
from imfine.core.memory import DTYPE_BYTES
from imfine.core.models.local import Local
from imfine.core.models.module import DTYPES
from imfine.core.models.quantised import nf4_bytes
from imfine.core.train.held import held
from imfine.core.train.learner import Learner, made_ready
from imfine.core.train.loss import CHUNK
from imfine.core.train.plan import Plan
from imfine.core.train.room import Need, bare, room
from imfine.core.train.targets import targets, trainable

# What glibc's heap takes for what is kept, since what a layer needs for a moment lies between; measured on
# gpt2-classics in float32, on the Llama starter in bfloat16, which casts in every layer. PEFT's layers need
# more of it. A GPU's allocator keeps both apart.
HOLES = {
    "float32": {"full": 1.0, "lora": 1.55, "dora": 1.55, "qlora": 1.55},
    "bfloat16": {"full": 1.2, "lora": 1.55, "dora": 1.55, "qlora": 1.55},
}
# What torch's kernels and Python grow by in the first steps.
LIBRARIES = {"float32": 30 << 20, "bfloat16": 150 << 20}
PICTURE_HOLES = 1.1  # measured once, on emoji-diffusion with LoRA and 16 pictures


def need(
    config: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    plan: Plan,
    device: str = "cpu",
    parts: int = 1,
) -> Need:
    """Of one process, for a model's config.json and its parameters' shapes; or of one of several that hold
    the model in `parts` (sharding.py).

    QLoRA's weights: for the n numbers of a matrix n/2 bytes (4 bits each), n/64 (8-bit scales of its blocks)
    and 4·n/16384 (scales of these), 0.516 n together; what is no matrix, and the output layer, in the plan's
    dtype; the adapters in float32. A product holds one matrix in full for a moment.

    Raises: Invalid when the plan does not fit the model.
    """
    where = layout(config)
    learned = trainable(where, shapes, plan).parameters
    frozen = sum(map(math.prod, shapes.values())) - (learned if plan.method == "full" else 0)
    weights = frozen * DTYPE_BYTES[plan.dtype] + learned * 4
    in_full = 0
    if plan.method == "qlora":
        packed = quantised(where, shapes)
        weights += sum(map(nf4_bytes, packed)) - sum(packed) * DTYPE_BYTES[plan.dtype]
        in_full = max(packed) * DTYPE_BYTES[plan.dtype]
    if isinstance(where, ImageLayout):
        from imfine.core.train.pictures.fit import picture_activations, picture_working  # diffusers

        vae = sum(math.prod(shape) for name, shape in shapes.items() if name.startswith("vae."))
        weights += vae * (4 - DTYPE_BYTES[plan.dtype])  # it encodes in float32
        kept = picture_activations(config, where, plan)
        working = picture_working(where, plan)
    else:
        assert isinstance(where, TextLayout)
        length = plan.tokens(where)
        kept = _activations(config, where, plan, length)
        wide = max(where.intermediate_size, where.hidden_size)
        working = 3 * 4 * min(CHUNK, plan.batch * length * where.vocab_size)  # logits, their gradient, a copy
        working += 3 * 4 * plan.batch * length * wide
    if device == "cpu":
        holes = PICTURE_HOLES if where.kind == "image" else HOLES[plan.dtype][plan.method]
        kept = round(kept * holes)
    working += LIBRARIES[plan.dtype] + in_full
    gradients, optimizer = 4 * learned, 8 * learned
    if plan.ema:
        optimizer += 4 * learned
    if parts > 1:
        weights, gradients, optimizer = (-(-each // parts) for each in (weights, gradients, optimizer))
        working += _gathered(where, shapes, plan, learned)
    grown = gradients + kept if plan.accumulation > 1 else max(gradients, kept)
    return Need(weights, gradients, optimizer, kept, working, weights + optimizer + grown + working)


def _gathered(where: Layout, shapes: Mapping[str, tuple[int, ...]], plan: Plan, learned: int) -> int:
    """Bytes that a process holds whole for a moment of a model that is split: two layers, of which one is
    fetched ahead, what lies outside of layers, and a layer's gradients with a copy to be summed."""
    inside = sum(quantised(where, shapes))
    outside = sum(map(math.prod, shapes.values())) - inside
    layers = len({target.layer for target in targets(where, plan)})
    size = 4 if plan.method == "full" else DTYPE_BYTES[plan.dtype]
    return 2 * size * inside // where.layers + DTYPE_BYTES[plan.dtype] * outside + 2 * 4 * learned // layers


def quantised(where: Layout, shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    """Numbers of each matrix that QLoRA holds in 4 bits."""
    return [
        math.prod(shapes[stored(f"{module}.weight", shapes)])
        for band in where.bands
        for module, _ in band.matrices
    ]


def check_fits(
    local: Local, plan: Plan, name: str, have: int, device: str = "cpu", *, parts: int = 1
) -> Need:
    """Raises: OutOfMemory with need, have and a plan that would fit, when `have` bytes are too few. `parts`:
    in which the launch splits a model, but for qlora's, which would be launched otherwise."""
    shapes = shapes_in(local)

    def needed(plan: Plan) -> Need:
        return need(local.config, shapes, plan, device, 1 if plan.method == "qlora" else parts)

    found = room(plan, local.layout, have, needed)
    found.check(name)
    return found.need


def shapes_in(local: Local) -> dict[str, tuple[int, ...]]:
    return {each: tensor.shape for each, tensor in (local.tensors or {}).items()}


def shapes_of(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of the parameters that a model of this config has, without reading any."""
    with torch.device("meta"):
        where = layout(config)
        if isinstance(where, ImageLayout):
            from imfine.core.train.pictures.fit import picture_parts  # diffusers

            module = picture_parts(config, torch.float32, with_vae=True)
        else:
            module = _built(config, where, torch.float32)
    return {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}


def _activations(config: Mapping[str, Any], where: TextLayout, plan: Plan, length: int) -> int:
    """What autograd keeps from forward to backward, as much of every sequence. Layers below the first
    trained one keep nothing."""
    asked = json.dumps(config, sort_keys=True)

    def kept(plan: Plan, layers: int, trained: int) -> int:
        one = replace(bare(plan), layers=tuple(range(trained)), batch=1)
        if one.method == "qlora":  # frozen weights are not kept, in however many bits they are
            one = replace(one, method="lora")
        return plan.batch * _kept(asked, layers, one, length)

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


@lru_cache(maxsize=256)
def _kept(asked: str, layers: int, plan: Plan, length: int) -> int:
    """Bytes that a model of the config (JSON), but of so few layers, keeps for one batch of `plan`."""
    config = json.loads(asked)
    whole = layout(config)
    assert isinstance(whole, TextLayout)
    where = replace(whole, bands=whole.bands[:layers])
    local = Local(Path(), config, where, None, 0, 0, None, {})
    with torch.device("meta"):
        module = _built(config, where, DTYPES[plan.dtype])
        learner = made_ready(module, local, plan, "fit", read=False)
    return held(
        _Hidden(learner),
        lambda: (
            torch.zeros(plan.batch, length, dtype=torch.long),
            torch.arange(length).repeat(plan.batch, 1),
        ),
    )


class _Hidden(nn.Module):
    """The learner without its loss, whose shapes depend on what is in a batch."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return self.learner.hidden(ids, positions)


def _built(asked: Mapping[str, Any], where: Layout, dtype: torch.dtype) -> Any:
    """transformers' module for a config, with the layers of `where`."""
    kind: Any = getattr(transformers, where.architecture)
    plain = {key: each for key, each in asked.items() if key not in ("architectures", "dtype", "torch_dtype")}
    config: Any = kind.config_class(**{key: each for key, each in plain.items() if key != "model_type"})
    config.num_hidden_layers = where.layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: where.layers]
    return kind._from_config(config, dtype=dtype, attn_implementation="sdpa")
