"""A packed model says the same as an unpacked one, with gains too."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imfine.core import memory
from imfine.core.models import packed
from imfine.core.models.load import LoadedModel, load
from imfine.core.models.packed import PackedLinear, multiply, pack
from imfine.core.recipe import Recipe

BF16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
SHAPES = [(1, 1), (2, 1), (25, 1), (1, 38), (2, 20), (1, 130)]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def model(starter: Path, request: pytest.FixtureRequest) -> LoadedModel:
    if request.param == "bfloat16" and not BF16:
        pytest.skip("nothing is packed: no bfloat16 in this processor")
    return next(step for step in load(str(starter), dtype=request.param) if isinstance(step, LoadedModel))


@pytest.mark.skipif(BF16, reason="this processor has bfloat16")
def test_without_bfloat16_in_the_processor_a_model_of_it_is_not_packed(starter: Path) -> None:
    plain = next(step for step in load(str(starter), dtype="bfloat16") if isinstance(step, LoadedModel))
    assert not pack(plain.module)
    assert not any(isinstance(each, PackedLinear) for each in plain.module.modules())


def test_the_starter_is_packed_and_its_copy_is_plain(model: LoadedModel) -> None:
    assert {type(each) for each in model.module.modules() if isinstance(each, nn.Linear)} == {PackedLinear}
    copied = deepcopy(model.module)
    assert {type(each) for each in copied.modules() if isinstance(each, nn.Linear)} == {nn.Linear}
    assert copied.lm_head.weight is copied.model.embed_tokens.weight
    assert not any("packed" in name for name in model.module.state_dict())


@pytest.mark.parametrize("shape", SHAPES)
def test_an_unpacked_model_says_the_same(model: LoadedModel, shape: tuple[int, int]) -> None:
    """In bfloat16 bit for bit, in float32 but for the rounding of other sums."""
    plain = deepcopy(model.module)
    ids = torch.randint(0, model.layout.vocab_size, shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = model.module(ids).logits, plain(ids).logits
    if model.dtype == "bfloat16":
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


def test_a_row_of_a_product_has_the_same_bits_beside_any_others(model: LoadedModel) -> None:
    if model.dtype == "bfloat16":
        pytest.skip("bfloat16 keeps torch's bits, which depend on the rows")
    layer = next(each for each in model.module.modules() if isinstance(each, PackedLinear))
    rows = torch.randn(130, layer.in_features, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = layer(rows)
        for some in (*range(1, 40), 64, 129):
            assert torch.equal(layer(rows[:some]), whole[:some]), some


def a_thousandth_more(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return multiply(x, weight, bias) * 1.001


def from_rounded_inputs(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As where float32 is multiplied in bfloat16."""
    return multiply(x.bfloat16().float(), weight, bias)


@pytest.mark.parametrize("other", [a_thousandth_more, from_rounded_inputs])
def test_a_product_that_is_another_is_not_packed(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch, other: Callable[..., Tensor]
) -> None:
    if model.dtype == "bfloat16" and other is from_rounded_inputs:
        pytest.skip("it is rounded so")
    plain = deepcopy(model.module)
    monkeypatch.setattr(packed, "multiply", other)
    assert not pack(plain)
    assert not any(isinstance(each, PackedLinear) for each in plain.modules())


def test_gains_reach_a_packed_matrix(model: LoadedModel) -> None:
    ids = torch.tensor([[5, 6, 7], [5, 6, 7]])
    plan = model.equalizer.plan([Recipe(), Recipe(attn=1.2, points={"o": 0.9})])
    with torch.inference_mode(), model.equalizer.applied(plan):
        base, tuned = model.module(ids).logits
    assert not torch.equal(base, tuned)


def test_only_small_models_are_kept_twice() -> None:
    assert memory.packs(200_000_000, "float32")
    assert not memory.packs(300_000_000, "float32")
    assert memory.packs(300_000_000, "bfloat16")
    assert not memory.packs(7_000_000_000, "bfloat16")
