"""The laws on the starter itself, a Llama of 30 layers, against its weights multiplied in transformers."""

from __future__ import annotations

import copy
import math
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from imfine.core.bake import bake
from imfine.core.equalizer import Equalizer
from imfine.core.families import Layout
from imfine.core.manifest import manifest
from imfine.core.models.local import read_local
from imfine.core.models.module import apply_norm_eps
from imfine.core.recipe import Recipe

TEXT = "I want to be a superman. He flew over the quiet city at night and thought of what he had been told."
TOKENS = 24


@pytest.fixture(scope="module")
def ids(starter: Path) -> torch.Tensor:
    found: torch.Tensor = AutoTokenizer.from_pretrained(starter)(TEXT, return_tensors="pt").input_ids[
        :, :TOKENS
    ]
    return found  # (1, 24)


@pytest.fixture(scope="module")
def original(starter: Path) -> nn.Module:
    return AutoModelForCausalLM.from_pretrained(starter, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def where(starter: Path) -> Layout:
    return read_local(starter).layout


@torch.no_grad()
def logits(module: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = module(ids).logits
    return found.float()


def live(module: nn.Module, where: Layout, recipes: list[Recipe], ids: torch.Tensor) -> torch.Tensor:
    equalizer = Equalizer(module, where)
    try:
        with equalizer.applied(equalizer.plan(recipes)):
            return logits(module, ids.expand(len(recipes), -1))
    finally:
        equalizer.close()


def multiplied(module: nn.Module, attn: float = 1.0, mlp: float = 1.0, eps: float = 1.0) -> nn.Module:
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for layer in twin.model.layers:
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
                projection.weight *= attn
            layer.mlp.up_proj.weight *= mlp
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.variance_epsilon *= 10 ** (eps - 1)
    return twin


def test_neutral_is_identity(original, where, ids):
    plain = logits(original, ids.expand(3, -1))
    assert torch.equal(live(original, where, [Recipe()] * 3, ids), plain)
    tuned = live(
        original, where, [Recipe(), Recipe(attn=0.7, mlp=1.2, eps=3), Recipe(points={"4.o.h3": 0})], ids
    )
    assert torch.equal(tuned[0], plain[0])
    assert not torch.equal(tuned[2], plain[2])


@pytest.mark.parametrize(
    ("knobs", "tolerance"),
    [
        ({"attn": 0.5}, 1e-4),
        ({"attn": 1.5, "mlp": 0.8}, 1e-4),
        ({"eps": 4.0, "mlp": 1.5}, 1e-4),
        ({"attn": 0.1}, 1e-3),
    ],
)
def test_live_equals_multiplied_weights(original, where, ids, knobs, tolerance):
    tuned = live(original, where, [Recipe(**knobs)], ids)
    reference = logits(multiplied(original, **knobs), ids)
    assert (tuned - reference).abs().max() < tolerance * reference.abs().max()
    assert torch.equal(tuned.argmax(-1), reference.argmax(-1))


def test_live_equals_baked_and_reloaded(starter, original, where, ids, tmp_path):
    recipe = Recipe(
        attn=1.1,
        eps=3,
        bands={"mlp": [1 + 0.01 * i for i in range(30)]},
        points={"o": 0.9, "4.q": 1.3, "7.v.h1": 0},
    )
    original.save_pretrained(tmp_path / "source")  # float32
    for file in starter.glob("tokenizer*"):
        shutil.copy(file, tmp_path / "source")
    list(bake(tmp_path / "source", recipe, tmp_path / "baked"))
    baked = AutoModelForCausalLM.from_pretrained(tmp_path / "baked", dtype=torch.float32).eval()
    apply_norm_eps(baked, read_local(tmp_path / "baked").layout)
    tuned, reloaded = live(original, where, [recipe], ids), logits(baked, ids)
    assert (tuned - reloaded).abs().max() < 1e-4 * reloaded.abs().max()
    assert torch.equal(tuned.argmax(-1), reloaded.argmax(-1))


@pytest.fixture(scope="module")
def halved(original: nn.Module) -> nn.Module:
    return copy.deepcopy(original).to(torch.bfloat16)


def test_bfloat16_errs_no_more_than_a_bfloat16_bake(original, halved, where, ids):
    """The error against the fp32 bake, over knobs, is at most 1.5 × that of the bf16 bake."""
    squares = {"live": 0.0, "bake": 0.0}
    for knobs in ({"attn": 0.8}, {"mlp": 1.3}, {"eps": 3.0}):
        truth = logits(multiplied(original, **knobs), ids)
        squares["bake"] += (logits(multiplied(halved, **knobs), ids) - truth).square().mean().item()
        squares["live"] += (live(halved, where, [Recipe(**knobs)], ids) - truth).square().mean().item()
    ratio = math.sqrt(squares["live"] / squares["bake"])
    assert ratio <= 1.5, ratio


def test_rows_do_not_leak(original, where, ids):
    recipes = [Recipe(), Recipe(attn=0.8), Recipe(mlp=1.2, eps=3), Recipe(points={"o": 0.8, "4.q.h2": 0})]
    together = live(original, where, recipes, ids)
    for row, recipe in enumerate(recipes):
        alone = live(original, where, [recipe], ids)[0]
        assert (together[row] - alone).abs().max() < 2e-5 * alone.abs().max()


def test_the_manifest_of_the_starter(starter):
    local = read_local(starter)
    assert local.tensors is not None
    told = manifest(local.layout, Recipe(attn=1.2, mlp=0.8), {n: t.shape for n, t in local.tensors.items()})
    assert (told["touched"], told["total"]) == (120, 272)
