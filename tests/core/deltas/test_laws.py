"""A delta's laws on text models: 0 is the original, 1 the trained one, live is baked, rows do not leak."""

from __future__ import annotations

import pytest
import torch
from bits import QLORA
from delta_models import answers, plain, text_home

from imfine.core.bake import bake
from imfine.core.deltas.found import deltas_of
from imfine.core.manifest import manifest
from imfine.core.models.catalog import find
from imfine.core.models.fingerprint import fingerprint
from imfine.core.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = ("full", "lora", "dora")
ARCHITECTURES = ("LlamaForCausalLM", "GPT2LMHeadModel", "GPTNeoXForCausalLM", "Qwen3ForCausalLM")
architectures = pytest.mark.parametrize("architecture", ARCHITECTURES)


def alike(live: torch.Tensor, reference: torch.Tensor, tolerance: float = 1e-4) -> bool:
    return bool((live - reference).abs().max() < tolerance * reference.abs().max())


@architectures
@pytest.mark.parametrize("method", [*METHODS, QLORA])
def test_the_laws(architecture, method, tmp_path):
    home = text_home(tmp_path, architecture)
    home.train("trained", method=method)
    model, trained = home.load(), home.load("trained")
    original, there = plain(model), plain(trained)
    assert not alike(original, there, 1e-2), "a test of equality proves nothing where nothing was learned"
    before = fingerprint(model.module)

    # 0 is the original, bit for bit; 1 alone the trained model, bit for bit; and 0 again after it
    assert torch.equal(answers(model, Recipe(deltas={"trained": 0.0})), original)
    assert torch.equal(answers(model, Recipe(deltas={"trained": 1.0})), there)
    assert torch.equal(answers(model, Recipe()), original)
    assert torch.equal(plain(model), original)

    # among others within rounding; the original's row stays what it is at this width
    three = [Recipe(), Recipe(deltas={"trained": 1}), Recipe(attn=0.8, deltas={"trained": -1.5})]
    together = answers(model, *three)
    assert torch.equal(together[0], plain(model, 3)[0])
    assert alike(together[1], there[0], 1e-5)
    assert alike(together[2], answers(model, three[2])[0], 1e-5)

    # live is baked and loaded, with gains on whole matrices, parts of fused ones, heads and norms
    gains = {"attn": 0.9, "mlp": 1.2, "points": {"o": 0.8, "norm": 1.1, "1.v": 1.3}}
    if architecture != "Qwen3ForCausalLM":
        gains["points"]["1.q.h1"] = 0.5
    bands = {"attn": [1.0, 0.5, 0.0], "mlp": [0.0, 1.0, 2.0]}
    deltas = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    for name, recipe in {
        "half": Recipe(deltas={"trained": 0.5}),
        "back": Recipe(deltas={"trained": -1.0}, **gains),
        "bands": Recipe(deltas={"trained": {"strength": 1.6, "bands": bands}}, **gains),
    }.items():
        list(bake(home.parent, recipe, home.settings.models_dir / name, deltas))
        live, baked = answers(model, recipe), plain(home.load(name))
        assert not alike(live, original, 1e-3)
        assert alike(live, baked), name
        assert torch.equal(live.argmax(-1), baked.argmax(-1))
    list(bake(home.parent, Recipe(deltas={"trained": 1}), home.settings.models_dir / "one", deltas))
    assert torch.equal(plain(home.load("one")), there)
    assert fingerprint(model.module) == before


def test_what_it_touches_is_told(tmp_path):
    home = text_home(tmp_path)
    home.train("trained", method="full", parts=["mlp"], layers=[1, 2])
    delta = deltas_of(find("parent", home.settings, any_folder=False), home.settings)[0]
    assert delta.to_json() == {
        "id": "trained", "kind": "trained", "method": "full", "parts": ["mlp"], "tensors": 12,
        "size": delta.size, "low": 0.0, "high": 2.0, "label": None,
    }  # fmt: skip
    model = home.load()
    shapes = {name: tuple(p.shape) for name, p in model.module.named_parameters()}
    knob = {"strength": 0.5, "bands": {"mlp": [1, 1, 0]}}
    told = manifest(model.layout, Recipe(mlp=0.5, deltas={"trained": knob}), shapes, [delta])
    by_name = {entry["name"]: entry for entry in told["tensors"]}
    assert told["touched"] == 3 + 6 - 1
    assert by_name["model.layers.1.mlp.up_proj.weight"] == {
        "name": "model.layers.1.mlp.up_proj.weight",
        "part": "up",
        "factor": 0.5,
        "strengths": {"trained": 0.5},
    }
    assert by_name["model.layers.1.mlp.up_proj.bias"]["part"] == "delta"
    assert "model.layers.2.mlp.down_proj.weight" not in by_name


def test_several_at_once_add_up(tmp_path):
    home = text_home(tmp_path)
    home.train("one", method="lora", rank=3)
    home.train("two", method="lora", rank=8, seed=1)
    home.train("three", method="full", seed=2)
    home.train("four", method="dora", seed=3)
    deltas = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    assert [delta.id for delta in deltas] == ["four", "one", "three", "two"]
    model = home.load()
    recipes = [
        Recipe(attn=1.2, deltas={"one": 0.7, "two": -0.4, "three": 1, "four": 0.3}),
        Recipe(deltas={"one": 1, "two": 1}),
        Recipe(deltas={"three": 1, "one": 0.5}),
        Recipe(),
        Recipe(mlp=0.7),
    ]
    together = answers(model, *recipes)
    for i, recipe in enumerate(recipes):
        assert alike(together[i], answers(model, recipe)[0], 1e-5)
        name = f"baked-{i}"
        list(bake(home.parent, recipe, home.settings.models_dir / name, deltas))
        assert alike(together[i], plain(home.load(name))[0])


def test_bfloat16_is_no_further_off_than_its_bake(tmp_path):
    """Law 3: against the float32 bake, at most 1.5 × what the bfloat16 bake is off."""
    home = text_home(tmp_path)
    for method in METHODS:
        home.train(method, method=method)
    deltas = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    model, off_live, off_baked = home.load(dtype="bfloat16"), 0.0, 0.0
    for method in METHODS:
        for strength in (0.5, 1.0, 1.5):
            recipe, name = Recipe(attn=0.9, deltas={method: strength}), f"{method}-{strength}"
            list(bake(home.parent, recipe, home.settings.models_dir / name, deltas))
            exact = plain(home.load(name), length=40)
            off_live += float((answers(model, recipe, length=40).float() - exact).pow(2).mean().sqrt())
            off_baked += float(
                (plain(home.load(name, "bfloat16"), length=40).float() - exact).pow(2).mean().sqrt()
            )
    assert off_live < 1.5 * off_baked
    for method in METHODS:
        there = plain(home.load(method, "bfloat16"))
        assert torch.equal(answers(model, Recipe(deltas={method: 1})), there), method
