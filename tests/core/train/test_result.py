"""The trained model loads, is its parent but for what was trained, and its adapter is PEFT's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from bits import QLORA
from peft import PeftModel
from safetensors.torch import load_file
from small_models import ARCHITECTURES
from training import result, run, source
from transformers import AutoModelForCausalLM

from imfine.core.bake import bake
from imfine.core.families import stored
from imfine.core.models.local import read_local
from imfine.core.models.weights import read_folder
from imfine.core.recipe import Recipe
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.randint(3, 300, (1, 12), generator=torch.Generator().manual_seed(1))


def logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(IDS).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_full_changes_the_targets_and_no_byte_else(architecture, tmp_path):
    model = source(tmp_path / "m", architecture)
    run(model, tmp_path / "out", parts=("attn",), layers=(0, 2), lr=1e-2, steps=2)
    before, after = (load_file(folder / "model.safetensors") for folder in (model.path, tmp_path / "out"))
    layout = read_local(model.path).layout
    wanted = {
        stored(f"{target.module}.weight", before)
        for target in targets(layout, Plan(parts=("attn",), layers=(0, 2)))
    }
    wanted |= {name for name in (each.removesuffix("weight") + "bias" for each in wanted) if name in before}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    unfelt = {name for name in wanted - changed if name.endswith("bias")}  # a bias of k moves no softmax
    assert changed | unfelt == wanted
    assert all(name.endswith("k_proj.bias") for name in unfelt)
    told = {name: info.dtype for name, info in read_folder(tmp_path / "out").items()}
    assert told == {name: info.dtype for name, info in read_folder(model.path).items()}
    assert not torch.equal(logits(model.path), logits(tmp_path / "out"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_parents_dtype_and_shards_stay(dtype, tmp_path):
    model = source(tmp_path / "m", dtype=dtype, shards="100KB")
    run(model, tmp_path / "out", parts=("mlp",), lr=1e-2, steps=2, dtype="bfloat16")
    assert len(list((tmp_path / "out").glob("*.safetensors"))) == 2
    before, after = (
        AutoModelForCausalLM.from_pretrained(f, dtype="auto") for f in (model.path, tmp_path / "out")
    )
    for (name, a), (_, b) in zip(before.named_parameters(), after.named_parameters(), strict=True):
        assert a.dtype == b.dtype == dtype
        assert torch.equal(a, b) == (".mlp." not in name)


@pytest.mark.parametrize("method", ["lora", "dora", QLORA])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_loads_in_peft_and_answers_like_the_merged_model(architecture, method, tmp_path):
    model = source(tmp_path / "m", architecture)
    end = result(run(model, tmp_path / "out", method=method, rank=4, lr=3e-2, steps=3))
    base = AutoModelForCausalLM.from_pretrained(model.path, dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, end.adapter).eval()
    with torch.no_grad():
        adapted = peft(IDS).logits
    merged, plain = logits(tmp_path / "out"), logits(model.path)
    assert (adapted - plain).abs().max() > 1e-3 * plain.abs().max()
    assert (adapted - merged).abs().max() < 1e-5 * plain.abs().max()
    assert sorted(file.name for file in Path(end.adapter).iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert (
        json.loads((Path(end.adapter) / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "small"
    )


def test_a_merged_adapter_in_bfloat16_is_merged_from_the_parents_own_numbers(tmp_path):
    model = source(tmp_path / "m")
    run(model, tmp_path / "out", method="lora", rank=1, lr=1e-9, steps=1, dtype="bfloat16")
    before, after = (load_file(folder / "model.safetensors") for folder in (model.path, tmp_path / "out"))
    assert max((before[name] - after[name]).abs().max() for name in before) < 1e-6  # bfloat16 alone is 1e-3


def test_it_says_what_it_was_made_of(tmp_path):
    model = source(tmp_path / "m")
    end = result(run(model, tmp_path / "out", method="lora", rank=4, eval_share=0.25))
    facts = json.loads((tmp_path / "out" / "imfine-train.json").read_text())
    assert facts["parent"] == {"id": "small", "checksum": "0" * 64}
    assert facts["data"]["rows"] == 40
    assert facts["data"]["held_out"] == 10
    assert Plan.parse(facts["plan"]).rank == 4
    assert facts["numbers"]["loss_after"] == end.loss_after
    assert facts["versions"].keys() == {"imfine", "torch", "transformers", "diffusers", "accelerate", "peft"}
    assert (tmp_path / "out" / facts["curves"]).exists()
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nbase_model:")
    assert f"{end.parameters:,} in {end.tensors} tensors" in card


def test_a_tuned_parent_keeps_its_eps_and_a_trained_one_can_be_tuned_and_trained_again(tmp_path):
    model = source(tmp_path / "m")
    list(bake(model.path, Recipe(eps=3), tmp_path / "tuned"))
    tuned = type(model)(tmp_path / "tuned")
    run(tuned, tmp_path / "trained", steps=2)
    assert (
        read_local(tmp_path / "trained").layout.norm_eps
        == read_local(tmp_path / "tuned").layout.norm_eps
        != {}
    )
    list(bake(tmp_path / "trained", Recipe(attn=1.2), tmp_path / "both"))
    again = type(model)(tmp_path / "both")
    assert result(run(again, tmp_path / "more", steps=2, method="lora")).steps == 2
