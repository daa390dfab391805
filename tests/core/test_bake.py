"""A bake answers like its live recipe, and is whole or not there."""

from __future__ import annotations

import copy
import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_models import ARCHITECTURES, logits, prompt, small_model
from torch import nn
from transformers import AutoModelForCausalLM

import imfine.core.bake as bake_module
from imfine.core.bake import bake
from imfine.core.equalizer import Equalizer
from imfine.core.families import layout
from imfine.core.models.local import norm_eps, read_local
from imfine.core.models.module import apply_norm_eps
from imfine.core.recipe import Recipe
from imfine.errors import Conflict, ModelRefused, RecipeError, SetupError

pytestmark = pytest.mark.usefixtures("one_thread")
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
}
RECIPE = Recipe(
    eps=2,
    attn=1.2,
    mlp=0.7,
    bands={"attn": [1, 0.8, 1.1], "eps": [1, 1.5, 0.5]},
    points={"o": 0.8, "2.q": 1.4, "1.v.h1": 0.5, "0.o.h4": 0, "norm": 1.1, "1.down": 1.3},
)


def saved(module: nn.Module, folder: Path, **options) -> Path:
    module.save_pretrained(folder, **options)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return folder


def loaded(folder: Path) -> nn.Module:
    module = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    apply_norm_eps(module, read_local(folder).layout)
    return module


def live_logits(module: nn.Module, where, recipe: Recipe) -> torch.Tensor:
    equalizer = Equalizer(module, where)
    with equalizer.applied(equalizer.plan([recipe])):
        return logits(module, prompt())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_live_equals_baked_and_reloaded(architecture, tmp_path):
    module, where = small_model(architecture)
    source = saved(module, tmp_path / "source")
    phases = list(bake(source, RECIPE, tmp_path / "baked"))
    assert phases[0].done == 0
    assert phases[-1].done == phases[-1].total == (source / "model.safetensors").stat().st_size
    live, baked = live_logits(module, where, RECIPE), logits(loaded(tmp_path / "baked"), prompt())
    assert (live - logits(module, prompt())).abs().max() > 1e-3 * baked.abs().max()
    assert (live - baked).abs().max() < 1e-4 * baked.abs().max()
    assert torch.equal(live.argmax(-1), baked.argmax(-1))


def test_a_neutral_bake_is_the_same_file(tmp_path):
    source = saved(small_model("LlamaForCausalLM")[0], tmp_path / "source")
    list(bake(source, Recipe(), tmp_path / "baked"))
    name = "model.safetensors"
    assert (tmp_path / "baked" / name).read_bytes() == (source / name).read_bytes()
    assert (tmp_path / "baked" / "tokenizer.json").exists()
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")) == [
        "baked",
        "source",
    ]


def test_shards_index_and_config_stay_as_they_are(tmp_path):
    module, _ = small_model("LlamaForCausalLM")
    source = saved(module, tmp_path / "source", max_shard_size="100KB")
    assert len(list(source.glob("*.safetensors"))) > 2
    list(bake(source, Recipe(attn=0.5, eps=3), tmp_path / "baked"))
    for file in source.iterdir():
        twin = tmp_path / "baked" / file.name
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as a, safe_open(twin, "pt") as b:
                assert a.metadata() == b.metadata() == {"format": "pt"}
                for name in a.keys():  # noqa: SIM118
                    factor = 0.5 if any(f".{p}_proj.weight" in name for p in "qkv") else 1.0
                    assert torch.equal(a.get_tensor(name) * factor, b.get_tensor(name))
        else:
            assert twin.read_bytes() == file.read_bytes()  # config.json keeps its one eps
    extra = json.loads((tmp_path / "baked" / "imfine.json").read_text())
    assert extra["recipe"] == {"attn": 0.5, "eps": 3.0}
    assert extra["norm_eps"]["model.layers.1.input_layernorm"] == pytest.approx(1e-3)
    assert len(extra["norm_eps"]) == 6


def test_tied_embeddings_are_not_touched(tmp_path):
    module, _ = small_model("GPT2LMHeadModel")
    source = saved(module, tmp_path / "source")
    list(bake(source, RECIPE, tmp_path / "baked"))
    a, b = load_file(source / "model.safetensors"), load_file(tmp_path / "baked" / "model.safetensors")
    same = {name for name in a if torch.equal(a[name], b[name])}
    assert {"transformer.wte.weight", "transformer.wpe.weight", "transformer.ln_f.weight"} <= same
    assert all(name in same for name in a if name.endswith("bias"))
    tied = loaded(tmp_path / "baked")
    assert tied.lm_head.weight is tied.transformer.wte.weight


def test_bfloat16_is_rounded_once(tmp_path):
    module, _ = small_model("LlamaForCausalLM")
    source = saved(module.to(torch.bfloat16), tmp_path / "source")
    list(bake(source, Recipe(mlp=0.3), tmp_path / "baked"))
    name = "model.layers.0.mlp.up_proj.weight"
    a, b = (
        load_file(source / "model.safetensors")[name],
        load_file(tmp_path / "baked" / "model.safetensors")[name],
    )
    assert b.dtype == torch.bfloat16
    assert torch.equal(b, (a.float() * 0.3).to(torch.bfloat16))


def test_a_baked_model_is_tuned_and_baked_again(tmp_path):
    module, where = small_model("LlamaForCausalLM")
    source = saved(module, tmp_path / "source")
    list(bake(source, Recipe(attn=0.8, eps=2), tmp_path / "once"))
    own = norm_eps(tmp_path / "once")
    again = layout(module.config.to_dict(), own)
    assert again.eps_knob_max == pytest.approx(4)
    second = Recipe(attn=1.5, eps=1.5)
    list(bake(tmp_path / "once", second, tmp_path / "twice"))
    live = live_logits(loaded(tmp_path / "once"), again, second)
    twice = logits(loaded(tmp_path / "twice"), prompt())
    assert (live - twice).abs().max() < 1e-4 * twice.abs().max()
    direct = copy.deepcopy(module)
    straight = live_logits(direct, where, Recipe(attn=1.2, eps=2.5))
    assert (straight - twice).abs().max() < 1e-4 * twice.abs().max()


def test_it_never_writes_over_a_folder(tmp_path):
    source = saved(small_model("LlamaForCausalLM")[0], tmp_path / "source")
    for target in (source, tmp_path / "there"):
        target.mkdir(exist_ok=True)
        with pytest.raises(Conflict, match="already there"):
            list(bake(source, Recipe(attn=2), target))
    assert list((tmp_path / "there").iterdir()) == []


def test_stopped_in_the_middle_leaves_nothing(tmp_path):
    source = saved(small_model("LlamaForCausalLM")[0], tmp_path / "source")
    baking = bake(source, RECIPE, tmp_path / "out" / "baked")
    for _ in range(5):
        next(baking)
    baking.close()
    assert [file for file in (tmp_path / "out").iterdir() if not file.name.endswith(".lock")] == []
    list(bake(source, RECIPE, tmp_path / "out" / "baked"))


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    source = saved(small_model("LlamaForCausalLM")[0], tmp_path / "source")

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bake_module, "_multiplied", full)
    with pytest.raises(SetupError, match="the disk filled up"):
        list(bake(source, RECIPE, tmp_path / "out" / "baked"))
    assert [file for file in (tmp_path / "out").iterdir() if not file.name.endswith(".lock")] == []


def test_what_cannot_be_baked_is_refused(tmp_path):
    module, _ = small_model("LlamaForCausalLM")
    source = saved(module, tmp_path / "source")
    with pytest.raises(RecipeError, match="llama has 3 layers"):
        list(bake(source, Recipe(bands={"attn": [1.0]}), tmp_path / "baked"))
    tensors = load_file(source / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelRefused, match="is stored as I8"):
        list(bake(source, Recipe(attn=0.5), tmp_path / "baked"))
    assert not (tmp_path / "baked").exists()
