"""Adapters as peft writes them: read, told apart, refused by name, and the same numbers as peft's own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from delta_models import Home, answers, plain, text_home
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from imfine.core.bake import bake
from imfine.core.deltas.found import deltas_of, modules_of, read_delta
from imfine.core.models.catalog import find
from imfine.core.models.local import read_local
from imfine.core.recipe import Recipe
from imfine.errors import AdapterError, RecipeError

pytestmark = pytest.mark.usefixtures("one_thread")
LLAMA, GPT2 = "LlamaForCausalLM", "GPT2LMHeadModel"
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def give(home: Home, name: str, **config: Any) -> Path:
    """An adapter that peft saved, none of its numbers zero."""
    module = AutoModelForCausalLM.from_pretrained(home.parent, dtype=torch.float32)
    torch.manual_seed(len(name))
    peft = get_peft_model(module, LoraConfig(**{"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM", **config}))
    with torch.no_grad():
        for key, parameter in peft.named_parameters():
            if "lora_B" in key or (config.get("bias", "none") != "none" and key.endswith("bias")):
                parameter.add_(torch.randn_like(parameter) * 0.1)
            if "magnitude" in key:
                parameter.mul_(1 + 0.2 * torch.rand_like(parameter))
    folder = home.adapter(name)
    peft.save_pretrained(folder, save_embedding_layers=False)
    return folder


def in_peft(home: Home, folder: Path, strength: float = 1.0) -> torch.Tensor:
    """logits of PeftModel, its own scale times `strength`."""
    module = AutoModelForCausalLM.from_pretrained(home.parent, dtype=torch.float32).eval()
    peft = PeftModel.from_pretrained(module, folder).eval()
    for part in peft.modules():
        if hasattr(part, "set_scale") and hasattr(part, "scaling") and strength != 1.0:
            part.scaling = {key: value * strength for key, value in part.scaling.items()}
    return plain(type("Model", (), {"module": peft}))  # type: ignore[arg-type]


def alike(live: torch.Tensor, reference: torch.Tensor, tolerance: float = 1e-5) -> bool:
    return bool((live - reference).abs().max() < tolerance * reference.abs().max())


CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": (LLAMA, {"target_modules": LINEAR}),
    "attention alone": (LLAMA, {"target_modules": ["q_proj", "v_proj"]}),
    "rank-stabilised": (LLAMA, {"target_modules": LINEAR, "use_rslora": True, "r": 9}),
    "patterns": (
        LLAMA,
        {
            "target_modules": LINEAR,
            "rank_pattern": {"down_proj": 2, "layers.1.self_attn.q_proj": 6},
            "alpha_pattern": {"down_proj": 5, "layers.0.mlp.up_proj": 1},
        },
    ),
    "dora": (LLAMA, {"target_modules": LINEAR, "use_dora": True}),
    "biases": (LLAMA, {"target_modules": LINEAR, "bias": "lora_only"}),
    "bias of B": (LLAMA, {"target_modules": LINEAR, "lora_bias": True}),
    "output layer": (LLAMA, {"target_modules": ["lm_head", "q_proj"]}),
    "gpt2": (GPT2, {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}),
    "gpt2 dora": (GPT2, {"target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True, "use_dora": True}),
    "fused": ("Phi3ForCausalLM", {"target_modules": ["qkv_proj", "gate_up_proj"]}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_parity_with_peft(name, tmp_path):
    architecture, config = CONFIGS[name]
    home = text_home(tmp_path, architecture)
    folder = give(home, name, **config)
    model = home.load()
    assert not alike(in_peft(home, folder), plain(model), 1e-2)
    assert alike(answers(model, Recipe(deltas={name: 1})), in_peft(home, folder))
    if not {"use_dora", "bias", "lora_bias"} & set(config):  # peft scales no more than B·A
        assert alike(answers(model, Recipe(deltas={name: 0.4})), in_peft(home, folder, 0.4))

    mixed = [Recipe(), Recipe(deltas={name: 0.6}), Recipe(attn=0.7, mlp=1.2, deltas={name: -0.5})]
    live = answers(model, *mixed)
    assert torch.equal(live[0], plain(model, 3)[0])
    deltas = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    for i in (1, 2):
        list(bake(home.parent, mixed[i], home.settings.models_dir / f"baked-{i}", deltas))
        assert alike(live[i], plain(home.load(f"baked-{i}"))[0], 1e-4)


def test_what_is_told_of_one(tmp_path):
    home = text_home(tmp_path)
    give(home, "mine", target_modules=["q_proj"])
    (told,) = [d.to_json() for d in deltas_of(find("parent", home.settings, any_folder=False), home.settings)]
    size = told.pop("size")
    assert size == 3 * 4 * (48 + 48) * 4
    assert told == {
        "id": "mine",
        "kind": "adapter",
        "method": "lora",
        "parts": ["attn"],
        "tensors": 3,
        "low": 0.0,
        "high": 2.0,
        "label": None,
    }


def test_one_of_another_model_is_told_what_it_wants(tmp_path):
    home, larger = text_home(tmp_path / "a"), text_home(tmp_path / "b", num_hidden_layers=4, hidden_size=96)
    folder = give(larger, "mine", target_modules=["q_proj"])
    model = read_local(home.parent)
    with pytest.raises(AdapterError) as error:
        read_delta("mine", folder, model, modules_of(model))
    assert "its base_model.model.model.layers.0.self_attn.q_proj is" in error.value.remedy
    assert "× 96" in error.value.remedy
    assert deltas_of(find("parent", home.settings, any_folder=False), home.settings) == []


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight", "layers.7.self_attn.q_proj"),
        ("base_model.model.vision.q_proj.lora_A.weight", "vision.q_proj, which this model does not have"),
        ("base_model.model.model.layers.0.self_attn.q_proj.hada_w1_a", "LoHa"),
        ("lycoris_layers_0.lokr_w1", "LoKr"),
        ("lora_unet_x.lora_mid.weight", "LoCon"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "LoRA on an embedding"),
        ("something.else", "no part of a LoRA"),
    ],
)
def test_a_key_that_fits_nothing_is_named(key, says, tmp_path):
    home = text_home(tmp_path)
    folder = give(home, "mine", target_modules=["q_proj"])
    tensors = load_file(folder / "adapter_model.safetensors")
    extra = {key: torch.ones(4, 48)}
    if key.endswith("lora_A.weight"):
        extra[key.replace("lora_A", "lora_B")] = torch.ones(48, 4)
    save_file({**tensors, **extra}, folder / "adapter_model.safetensors")
    model = read_local(home.parent)
    with pytest.raises(AdapterError) as error:
        read_delta("mine", folder, model, modules_of(model))
    assert says in error.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"peft_type": "IA3"}, "it is IA3"),
        ({"init_lora_weights": "pissa_niter_4"}, "it began as pissa"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"lora_alpha": "x"}, "lora_alpha is 'x'"),
        ({"alpha_pattern": {"(a+)+$": 2}}, "no plain name"),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(change, says, tmp_path):
    home = text_home(tmp_path)
    folder = give(home, "mine", target_modules=["q_proj"])
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **change}))
    model = read_local(home.parent)
    with pytest.raises(AdapterError) as error:
        read_delta("mine", folder, model, modules_of(model))
    assert says in error.value.message


def test_numbers_that_are_not_finite_never_reach_the_model(tmp_path):
    home = text_home(tmp_path)
    folder = give(home, "mine", target_modules=["q_proj"])
    tensors = load_file(folder / "adapter_model.safetensors")
    next(iter(tensors.values()))[0, 0] = math.inf
    save_file(tensors, folder / "adapter_model.safetensors")
    model = home.load()
    with pytest.raises(AdapterError, match="not finite"):
        answers(model, Recipe(deltas={"mine": 1}))
    assert model.equalizer.deltas == {}


def test_a_delta_that_is_not_there_is_named_with_those_that_are(tmp_path):
    home = text_home(tmp_path)
    give(home, "mine", target_modules=["q_proj"])
    model = home.load()
    with pytest.raises(RecipeError) as error:
        answers(model, Recipe(deltas={"other": 1}))
    assert error.value.field == "recipe.deltas.other"
    assert "its deltas are mine" in error.value.remedy
