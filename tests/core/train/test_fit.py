"""What a plan is said to take is what it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import forked
import pytest
import torch
from bits import needs_bitsandbytes
from grown import by_training
from small_models import ARCHITECTURES
from training import plan, source
from transformers import AutoConfig, AutoModelForCausalLM

from imfine.core import memory
from imfine.core.models.known import SHIPPED
from imfine.core.models.local import Local, read_local
from imfine.core.train.fit import check_fits, need
from imfine.core.train.room import Need
from imfine.errors import OutOfMemory


def told_of(local: Local, **changes) -> Need:
    assert local.tensors is not None
    return need(local.config, {name: t.shape for name, t in local.tensors.items()}, plan(**changes))


def grown(model: Path, **changes) -> int:
    return forked.call(by_training, model, changes)


QUICK_BFLOAT16 = pytest.mark.skipif(
    memory.default_dtype() != "bfloat16", reason="this processor takes minutes for a step in bfloat16"
)
IN_FLOAT32 = {"length": 128, "eval_share": 0.0, "dtype": "float32"}
IN_BFLOAT16 = {"length": 256, "eval_share": 0.0, "dtype": "bfloat16"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"method": "full", "batch": 1, **IN_BFLOAT16}, marks=QUICK_BFLOAT16),
        pytest.param({"method": "lora", "batch": 2, **IN_BFLOAT16}, marks=QUICK_BFLOAT16),
    ],
)
def test_the_llama_starters_memory_is_within_a_fifth(changes, starter):
    told = told_of(read_local(starter), **changes).together
    assert told == pytest.approx(grown(starter, **changes), rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_gpt2_starters_memory_is_within_a_fifth(method):
    changes = {"method": method, "batch": 4, "length": 256, "eval_share": 0.0, "dtype": "float32"}
    told = told_of(read_local(SHIPPED / "gpt2-classics"), **changes).together
    assert told == pytest.approx(grown(SHIPPED / "gpt2-classics", **changes), rel=0.2)


@pytest.mark.slow
@needs_bitsandbytes
def test_qlora_takes_less_memory_than_lora_and_each_what_it_is_said_to(starter):
    """SmolLM2-135M in float32: 106 M numbers of 4 bytes become some 4.1 bits each."""
    local, held = read_local(starter), {}
    for method in ("lora", "qlora"):
        held[method] = grown(starter, method=method, batch=1, **IN_FLOAT32)
        told = told_of(local, method=method, batch=1, **IN_FLOAT32).together
        assert told == pytest.approx(held[method], rel=0.2)
    assert held["qlora"] < held["lora"] - 200e6


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_family_is_traced_and_more_takes_more(architecture, tmp_path):
    local = read_local(source(tmp_path / "m", architecture).path)

    def kept(**changes) -> int:
        return told_of(local, **changes).activations

    base = kept(batch=2, length=64)
    assert base > 2 * 64 * 48 * 4 * 3  # at least one hidden state a layer
    assert kept(batch=4, length=64) == pytest.approx(2 * base, rel=0.05)
    assert kept(batch=2, length=64, checkpointing=True) < 0.7 * base
    assert kept(batch=2, length=64, layers=(2,)) < 0.6 * base
    assert kept(batch=2, length=64, method="lora", rank=2) > 0.5 * base


def test_what_does_not_fit_is_refused_with_what_would(tmp_path):
    local = read_local(source(tmp_path / "m").path)
    asked = plan(batch=64, length=128)
    have = told_of(local, batch=1, length=128, accumulation=64).together + 1
    with pytest.raises(OutOfMemory) as refused:
        check_fits(local, asked, "small", have)
    assert refused.value.params["change"] == {"batch": 1, "accumulation": 64}
    assert refused.value.params["need"] > have
    assert check_fits(local, asked, "small", 1 << 40).together == refused.value.params["need"]


@needs_bitsandbytes
def test_where_lora_does_not_fit_4_bits_may(tmp_path):
    local = read_local(
        source(tmp_path / "m", hidden_size=384, intermediate_size=1024, num_hidden_layers=4).path
    )
    asked = plan(method="lora", batch=1, length=16)
    lora, qlora = (
        told_of(local, method=method, batch=1, length=16, checkpointing=True).together
        for method in ("lora", "qlora")
    )
    assert qlora < lora
    with pytest.raises(OutOfMemory, match="choose QLoRA, batch 1") as refused:
        check_fits(local, asked, "small", (lora + qlora) // 2)
    assert refused.value.params["change"] == {"method": "qlora", "checkpointing": True}


def test_llama_2_7b_with_lora_on_paper():
    """Of one sequence of 512 tokens in bfloat16, 4096 wide (D), 11008 within (M), rank 8, on a GPU:

    weights      6,738 M × 2 bytes, and the adapters' 20 M in float32
    activations  206 KB a token and layer. By hand 20 D + 8 M bytes, 170 KB: what the two norms read (8 D, in
                 float32) and give (4 D); q, k, v and what attention gives (8 D); gate, up, what silu gives,
                 and the product (8 M). The rest are PEFT's intermediate sums, and the norms' own.
    """
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
    }  # fmt: skip
    asked = plan(method="lora", rank=8, batch=1, length=512, dtype="bfloat16", parts=("attn", "mlp"))
    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    found = need(config, shapes, asked, "cuda")
    assert found.weights == pytest.approx(13.55e9, rel=0.01)
    assert found.gradients == 4 * 19_988_480  # rank 8 on seven matrices of 32 layers
    by_hand = 32 * 512 * (20 * 4096 + 8 * 11008)
    assert by_hand < found.activations < 1.4 * by_hand
    light = need(config, shapes, replace(asked, checkpointing=True), "cuda")
    assert found.together == pytest.approx(17.4e9, rel=0.05)
    assert light.together == pytest.approx(14.3e9, rel=0.05)
    half = need(config, shapes, replace(asked, checkpointing=True), "cuda", parts=2)
    assert half.weights == pytest.approx(light.weights / 2)
    assert half.together == pytest.approx(8.8e9, rel=0.05)  # two layers, embedding and output layer are whole
    bits = need(config, shapes, replace(asked, method="qlora", checkpointing=True), "cuda")
    # 6,476 M numbers of matrices; embedding, output layer and norms in bfloat16; the adapters in float32
    assert bits.weights == pytest.approx(6.476e9 * 0.516 + 0.262e9 * 2 + 0.02e9 * 4, rel=0.005)
    assert bits.together == pytest.approx(4.8e9, rel=0.05)
