"""QLoRA, really trained in 4 bits, on the CPU: as peft and transformers do it, for less memory than LoRA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from bits import needs_bitsandbytes, save_quantised, theirs
from peft import LoraConfig, get_peft_model
from small_models import ARCHITECTURES
from training import Source, losses, plan, result, run, sentences, source
from transformers import AutoModelForCausalLM

from imfine.core import quantised
from imfine.core.models.local import read_local
from imfine.core.models.module import read_module
from imfine.core.models.quantised import nf4_bytes
from imfine.core.train.fit import quantised as matrices_of
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared
from imfine.errors import Invalid, ModelRefused

pytestmark = [pytest.mark.usefixtures("one_thread"), needs_bitsandbytes]
FAMILIES = ("LlamaForCausalLM", "GPT2LMHeadModel")
every_family = pytest.mark.parametrize("family", FAMILIES)
MATRICES = {
    "LlamaForCausalLM": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "GPT2LMHeadModel": ["c_attn", "c_proj", "c_fc"],
}
NO_DROPOUT = {
    "LlamaForCausalLM": {},
    "GPT2LMHeadModel": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
}
WIDE = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8, "num_key_value_heads": 8}
STEPS = 12
ASKED = {"method": "qlora", "steps": STEPS, "rank": 4, "lr": 5e-3, "eval_share": 0.0, "packing": False}


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_a_module_quantised_as_it_is_read_is_transformers_own(family, tmp_path):
    model = source(tmp_path / "m", family, dtype=torch.bfloat16)
    *phases, module = read_module(model.path, read_local(model.path).layout, "float32", "cpu", nf4=True)
    assert phases[-1].done == phases[-1].total
    own = theirs(model.path, "nf4").state_dict()
    ours = module.state_dict()
    assert ours.keys() == own.keys()
    assert sum(name.endswith("quant_state.bitsandbytes__nf4") for name in ours) >= 12
    assert all(torch.equal(ours[name], own[name]) for name in own)


@every_family
def test_the_losses_of_the_first_steps_are_pefts(family, tmp_path):
    """transformers' own NF4 model, peft's own LoRA, torch's AdamW, on the same rows in the same order."""
    still = (
        {}
        if family == "LlamaForCausalLM"
        else dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    )
    model = source(tmp_path / "m", family, **still)
    asked = plan(**ASKED, schedule="constant", warmup=0.0)
    found = next(
        each
        for each in prepare(Accelerator(), model, sentences(), asked, tmp_path / "tokens")
        if isinstance(each, Prepared)
    )
    ours: list[float] = []
    for step in range(STEPS):
        found.stepper.take(step, lambda loss, norm: ours.append(loss))

    base = theirs(model.path, "nf4").train()
    torch.manual_seed(asked.seed)
    peft = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=MATRICES[family]))
    optimizer = torch.optim.AdamW(peft.parameters(), lr=asked.learning_rate, weight_decay=asked.weight_decay)
    own = []
    for step in range(STEPS):
        ids, positions, labels = found.lesson.fixed(found.feed.step(step))
        labels = torch.cat([torch.full_like(labels[:, :1], -100), labels[:, :-1]], 1)  # it shifts them itself
        loss = peft(input_ids=ids, position_ids=positions, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peft.parameters(), asked.clip)
        optimizer.step()
        optimizer.zero_grad()
        own.append(float(loss))
    assert max(abs(a - b) for a, b in zip(ours, own, strict=True)) < 1e-4
    assert own[-1] < own[0] - 0.3


def test_measuring_between_the_steps_changes_no_gradient(tmp_path):
    """bitsandbytes rewrites a matrix for answers alone where the processor has AVX512-BF16: not here."""
    model = source(
        tmp_path / "m", hidden_size=64, intermediate_size=128, num_attention_heads=8, num_key_value_heads=8
    )
    asked = {**ASKED, "eval_share": 0.2, "samples": ("sea",), "sample_tokens": 4}
    often, once = (
        losses(run(model, tmp_path / str(every), eval_every=every, **asked)) for every in (1, STEPS)
    )
    assert often == once


@every_family
def test_what_was_learned_is_added_to_the_unquantised_parent(family, tmp_path):
    model = source(tmp_path / "m", family)
    end = result(run(model, tmp_path / "out", **ASKED))
    adapter = read_adapter_file(Path(end.adapter))
    before, after = (
        dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).named_parameters())
        for folder in (model.path, tmp_path / "out")
    )
    changed = 0
    for name, weight in before.items():
        module = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{module}.lora_A.weight" not in adapter:
            assert torch.equal(after[name], weight)
            continue
        change = 2.0 * adapter[f"{module}.lora_B.weight"] @ adapter[f"{module}.lora_A.weight"]
        change = change.T if family == "GPT2LMHeadModel" else change
        assert torch.allclose(after[name], weight + change, atol=1e-6)
        changed += 1
    assert changed == end.tensors // 2
    facts = json.loads((tmp_path / "out" / "imfine-train.json").read_text())
    assert "bitsandbytes" in facts["versions"]
    assert "QLoRA of rank 4" in (tmp_path / "out" / "README.md").read_text()


def test_it_trains_in_bfloat16_with_checkpointing_and_layers(tmp_path):
    model = source(tmp_path / "m", dtype=torch.bfloat16)
    plain = run(model, tmp_path / "a", **ASKED, dtype="bfloat16", layers=(1, 2))
    light = run(model, tmp_path / "b", **ASKED, dtype="bfloat16", layers=(1, 2), checkpointing=True)
    assert losses(plain)[-1] < losses(plain)[0] - 0.3
    assert losses(light) == pytest.approx(losses(plain), rel=2e-2)


def test_the_bytes_told_are_those_of_the_weights(tmp_path):
    model = source(tmp_path / "m")
    local = read_local(model.path)
    *_, module = read_module(model.path, local.layout, "float32", "cpu", nf4=True)
    held = sum(
        tensor.nbytes
        for name, tensor in module.state_dict().items()
        if ".weight." in name and "quant_state" not in name
    ) + sum(p.nbytes for p in module.parameters() if p.dtype == torch.uint8)
    shapes = {name: info.shape for name, info in (local.tensors or {}).items()}
    told = sum(map(nf4_bytes, matrices_of(local.layout, shapes)))
    assert told == pytest.approx(held, rel=0.01)
    assert nf4_bytes(4096 * 11008) == pytest.approx(0.516 * 4096 * 11008, rel=1e-3)


def test_without_bitsandbytes_it_says_what_to_do(tmp_path, monkeypatch):
    model = source(tmp_path / "m")
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    with pytest.raises(Invalid, match="qlora needs bitsandbytes, which is not installed") as refused:
        run(model, tmp_path / "out", **ASKED)
    assert refused.value.field == "plan.method"
    assert refused.value.remedy.startswith("use lora, or install it")


def test_a_quantised_parent_is_refused_before_anything_is_read(tmp_path):
    source(tmp_path / "plain")
    save_quantised(tmp_path / "plain", tmp_path / "m", "nf4")
    with pytest.raises(ModelRefused, match="is quantised") as refused:
        run(Source(tmp_path / "m"), tmp_path / "out", **ASKED)
    assert "unquantised" in refused.value.remedy


def read_adapter_file(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")
