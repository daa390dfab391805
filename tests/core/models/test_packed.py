"""A packed model says the same bits as an unpacked one, with gains too."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from imfine.core import memory
from imfine.core.models.load import LoadedModel, load
from imfine.core.models.packed import PackedLinear, pack
from imfine.core.recipe import Recipe


@pytest.fixture(scope="module")
def model(starter: Path) -> LoadedModel:
    return next(step for step in load(str(starter), dtype="bfloat16") if isinstance(step, LoadedModel))


def test_the_starter_is_packed_and_its_copy_is_plain(model: LoadedModel) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert not pack(model.module)
        return
    assert {type(each) for each in model.module.modules() if isinstance(each, nn.Linear)} == {PackedLinear}
    copied = deepcopy(model.module)
    assert {type(each) for each in copied.modules() if isinstance(each, nn.Linear)} == {nn.Linear}
    assert copied.lm_head.weight is copied.model.embed_tokens.weight
    assert not any("packed" in name for name in model.module.state_dict())


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="nothing is packed: no bfloat16 in this processor",
)
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (25, 1), (1, 38), (2, 20), (1, 130)])
def test_the_same_bits_for_every_width(model: LoadedModel, shape: tuple[int, int]) -> None:
    plain = deepcopy(model.module)
    ids = torch.randint(0, model.layout.vocab_size, shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(model.module(ids).logits, plain(ids).logits)


def test_gains_reach_a_packed_matrix(model: LoadedModel) -> None:
    ids = torch.tensor([[5, 6, 7], [5, 6, 7]])
    plan = model.equalizer.plan([Recipe(), Recipe(attn=1.2, points={"o": 0.9})])
    with torch.inference_mode(), model.equalizer.applied(plan):
        base, tuned = model.module(ids).logits
    assert not torch.equal(base, tuned)


def test_only_small_models_of_bfloat16_are_kept_twice() -> None:
    assert not memory.packs(7_000_000_000, "bfloat16")
    assert not memory.packs(1000, "float32")
