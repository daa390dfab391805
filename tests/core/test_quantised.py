"""The equalizer on weights in 8 and 4 bits (bitsandbytes), really computed, on the CPU."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from bits import BITS, matrix_of, needs_bitsandbytes, save_quantised, theirs
from delta_models import Home
from delta_models import answers as delta_answers
from model_folders import save_model
from peft import LoraConfig, get_peft_model
from small_models import logits, prompt
from test_equalizer import Multiplied, assert_alike
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from imfine.core.deltas.keeping import keep_adapter
from imfine.core.models.catalog import find
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.load import LoadedModel, load
from imfine.core.models.quantised import kept_as_read
from imfine.core.recipe import Recipe
from imfine.errors import AdapterError
from imfine.settings import Settings

pytestmark = [pytest.mark.usefixtures("one_thread"), needs_bitsandbytes]
FAMILIES = ("LlamaForCausalLM", "GPT2LMHeadModel")
families = pytest.mark.parametrize("family", FAMILIES)
every = pytest.mark.parametrize(("family", "bits"), [(f, b) for f in FAMILIES for b in BITS])
WIDE = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8, "num_key_value_heads": 8}
WITHOUT_OUTLIERS = {"llm_int8_threshold": 0.0}


def made(tmp_path: Path, family: str, bits: str, **changes: Any) -> LoadedModel:
    """A quantised folder as transformers writes it, "m", read by us. The plain one is "plain"."""
    save_model(tmp_path / "plain", family)
    save_quantised(tmp_path / "plain", tmp_path / "m", bits, **changes)
    model = list(load(str(tmp_path / "m"), dtype="float32", device="cpu"))[-1]
    assert isinstance(model, LoadedModel)
    return model


def answers(model: LoadedModel, *recipes: Recipe) -> torch.Tensor:
    with model.equalizer.applied(model.equalizer.plan(recipes)):
        return logits(model.module, prompt(len(recipes)))


def in_full(tmp_path: Path) -> nn.Module:
    """The plain model in float32 with the very numbers that the bits stand for."""
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain", dtype=torch.float32).eval()
    with torch.no_grad():
        for name, layer in theirs(tmp_path / "m").named_modules():
            if type(layer).__name__ in BITS.values():
                own, matrix = plain.get_submodule(name), matrix_of(layer)
                own.weight.copy_(matrix.T if isinstance(own, Conv1D) else matrix)
    return plain


class Scaled(Multiplied):
    """Of a model in 8 bits: the scales of its rows are multiplied, so no bit is rounded anew."""

    def _multiply(self, places, point, gain, layers, head):
        for layer in layers:
            for name, where in places:
                scales = self.module.get_submodule(name.format(i=layer)).weight.SCB  # (out)
                scales[slice(None) if where is None else where] *= gain
        return self


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


@every
def test_neutral_is_transformers_own(family, bits, tmp_path):
    model = made(tmp_path, family, bits)
    assert BITS[bits] in {type(layer).__name__ for layer in model.module.modules()}
    own = theirs(tmp_path / "m")
    kept_as_read(own)
    assert torch.equal(answers(model, Recipe()), logits(own, prompt()))
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain", dtype=torch.float32).eval()
    assert error(answers(model, Recipe()), logits(plain, prompt())) > 1e-3, "nothing was quantised"


@families
@pytest.mark.parametrize("knobs", [{"attn": 1.25}, {"mlp": 0.6}, {"eps": 4.0}, {"points": {"1.down": 1.5}}])
def test_in_4_bits_a_gain_is_the_scaled_weight(family, knobs, tmp_path):
    """Against plain float32 with the numbers that the bits stand for, multiplied."""
    model, reference = made(tmp_path, family, "nf4"), Multiplied(in_full(tmp_path), family)
    for name, value in knobs.items():
        if name == "eps":
            reference.eps([10.0 ** (value - 1)] * 3)
        elif name == "points":
            reference.point("down", value["1.down"], range(1, 2))
        else:
            reference.knob(name, [value] * 3)
    found = answers(model, Recipe(**knobs))
    assert_alike(found, logits(reference.module, prompt()), 1e-5)
    assert error(found, answers(model, Recipe())) > 1e-2


@families
@pytest.mark.parametrize(("knob", "gain"), [("attn", 2.0), ("mlp", 0.5), ("attn", 1.25), ("mlp", 0.7)])
def test_in_8_bits_a_gain_is_the_scaled_weight_but_for_how_inputs_are_rounded(family, knob, gain, tmp_path):
    """8 bits round what comes in as well. By a power of two nothing is rounded otherwise; by another gain the
    error against float32 is that of a model whose weights were scaled."""
    model = made(tmp_path, family, "int8", **WITHOUT_OUTLIERS)
    found = answers(model, Recipe(**{knob: gain}))
    scaled = logits(Scaled(theirs(tmp_path / "m"), family).knob(knob, [gain] * 3).module, prompt())
    if gain in (2.0, 0.5):
        assert torch.equal(found, scaled)
    exact = logits(Multiplied(in_full(tmp_path), family).knob(knob, [gain] * 3).module, prompt())
    assert error(found, exact) < 1.5 * error(scaled, exact) < 0.1


@every
def test_rows_are_independent(family, bits, tmp_path):
    model = made(tmp_path, family, bits, **(WITHOUT_OUTLIERS if bits == "int8" else {}))
    rows = [Recipe(), Recipe(attn=1.3), Recipe(mlp=0.5, points={"0.q.h1": 2.0}), Recipe()]
    together = answers(model, *rows)
    assert torch.equal(together[0], answers(model, *[Recipe()] * 4)[0])
    assert torch.equal(together[0], together[3])
    for row, recipe in zip(together, rows, strict=True):
        assert_alike(row[None], answers(model, recipe), 1e-5)


def test_in_8_bits_a_neighbours_outliers_change_how_a_row_is_rounded(tmp_path):
    """LLM.int8() takes a column out of the rounding when any row of the batch has a large number in it."""
    model = made(tmp_path, "LlamaForCausalLM", "int8")
    alone = answers(model, Recipe(), Recipe())[0]
    beside = answers(model, Recipe(), Recipe(points={"gate": 4.0, "up": 4.0}))[0]
    assert not torch.equal(alone, beside)
    exact = logits(in_full(tmp_path), prompt())[0]
    assert error(beside, exact) < 1.5 * error(alone, exact)


@every
def test_nothing_is_changed_in_place(family, bits, tmp_path):
    model = made(tmp_path, family, bits)
    before, scales = model.fingerprint, _scales(model.module)
    neutral = answers(model, Recipe())
    answers(model, Recipe(attn=1.5, mlp=0.5), Recipe(eps=3.0))
    last = list(model.compare("abc", attn=1.2, sampling={"max_new_tokens": 4, "greedy": True}))[-1]
    assert last.type == "result"
    assert fingerprint(model.module) == before
    assert all(map(torch.equal, _scales(model.module), scales))
    assert torch.equal(answers(model, Recipe()), neutral)


def test_a_module_is_kept_from_being_rewritten_by_its_first_answer(tmp_path):
    """What bitsandbytes does where the processor has AVX512-BF16, and why `kept_as_read` is."""
    from bitsandbytes.functional import has_avx512bf16

    save_model(tmp_path / "plain", **WIDE)
    save_quantised(tmp_path / "plain", tmp_path / "m", "nf4")
    left, kept = theirs(tmp_path / "m"), theirs(tmp_path / "m")
    kept_as_read(kept)
    for module, changes in ((left, bool(has_avx512bf16())), (kept, False)):
        before = fingerprint(module)
        logits(module, prompt())
        assert (fingerprint(module) != before) == changes


@families
def test_a_lora_is_a_knob_in_4_bits_too_and_a_dora_is_refused(family, tmp_path):
    """As peft puts it on the same quantised model. DoRA asks for the weights' own numbers."""
    home = Home(Settings(home=tmp_path / "home"))
    save_model(tmp_path / "plain", family)
    save_quantised(tmp_path / "plain", home.parent, "nf4")
    matrices = ["c_attn", "c_fc"] if family == "GPT2LMHeadModel" else ["q_proj", "down_proj"]
    for name in ("lora", "dora"):
        config = LoraConfig(r=3, target_modules=matrices, init_lora_weights=False, use_dora=name == "dora")
        adapted = get_peft_model(theirs(home.parent), config)
        adapted.save_pretrained(str(tmp_path / name))
        keep_adapter(tmp_path / name, name, find("parent", home.settings, any_folder=False), home.settings)
        if name == "lora":
            kept_as_read(adapted)
            wanted = logits(adapted.eval(), prompt())
    model = home.load()
    assert error(delta_answers(model, Recipe(deltas={"lora": 1.0})), wanted) < 1e-5
    assert error(delta_answers(model, Recipe(deltas={"lora": 0.0})), wanted) > 1e-2
    with pytest.raises(AdapterError, match=r"dora needs the numbers of .*quantised"):
        delta_answers(model, Recipe(deltas={"dora": 1.0}))


def _scales(module: nn.Module) -> list[torch.Tensor]:
    found = []
    for layer in module.modules():
        if type(layer).__name__ == "Linear4bit":
            found.append(copy.deepcopy(layer.weight.quant_state.absmax))
        elif type(layer).__name__ == "Linear8bitLt":
            scale = layer.state.SCB if layer.weight.SCB is None else layer.weight.SCB
            found.append(scale.clone())
    assert found
    return found
