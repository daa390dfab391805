"""Loading: the same module as transformers', true progress, a reason for everything that cannot be loaded."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from model_folders import edit_config, rewrite, save_model
from small_models import ARCHITECTURES
from small_pictures import STARTER

from imfine.core import memory, quantised
from imfine.core.events import Phase
from imfine.core.models.load import LoadedModel, Warm, load
from imfine.errors import ImfineError, Invalid, ModelBroken, ModelRefused, OutOfMemory


@pytest.fixture(autouse=True)
def nobody_home(home: Path) -> None: ...


def loaded(ref: str | Path, **how: Any) -> LoadedModel:
    *phases, model = load(str(ref), **how)
    assert isinstance(model, LoadedModel)
    assert all(isinstance(phase, Phase) for phase in phases)
    return model


def same(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    """Equal names, dtypes and bits: parameters and all buffers."""
    for kind in ("named_parameters", "named_buffers"):
        mine, reference = dict(getattr(ours, kind)()), dict(getattr(theirs, kind)())
        assert mine.keys() == reference.keys()
        for name, value in reference.items():
            assert mine[name].dtype == value.dtype, name
            assert torch.equal(mine[name], value), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_is_the_module_that_transformers_loads(tmp_path: Path, architecture: str, dtype: str) -> None:
    save_model(tmp_path / "m", architecture, dtype=torch.bfloat16 if dtype == "float32" else torch.float32)
    model = loaded(tmp_path / "m", dtype=dtype)
    reference = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "m", dtype=getattr(torch, dtype), attn_implementation="sdpa"
    )
    same(model.module, reference)
    assert type(model.module) is type(reference)
    assert not model.module.training
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert model.module.config._attn_implementation == "sdpa"
    assert model.module.generation_config.to_dict() == reference.generation_config.to_dict()
    tied = model.module.get_output_embeddings().weight is model.module.get_input_embeddings().weight
    assert tied == model.layout.tied_embeddings
    ids = torch.arange(3, 12)[None]
    assert torch.equal(model.module(ids).logits, reference(ids).logits)


def test_gpt2_files_without_the_prefix_and_with_masks_load_the_same(tmp_path: Path) -> None:
    saved = save_model(tmp_path / "m", "GPT2LMHeadModel")

    def as_openai_kept_it(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        return {**bare, "h.0.attn.bias": torch.ones(1, 1, 8, 8), "h.0.attn.masked_bias": torch.ones(())}

    rewrite(tmp_path / "m", as_openai_kept_it)
    same(loaded(tmp_path / "m", dtype="float32").module, saved)


def test_shards_are_one_model_and_progress_counts_their_bytes(tmp_path: Path) -> None:
    saved = save_model(tmp_path / "m", shards="100KB")
    shards = list((tmp_path / "m").glob("model-*.safetensors"))
    assert len(shards) > 1
    *phases, model = load(str(tmp_path / "m"), dtype="float32")
    assert isinstance(model, LoadedModel)
    same(model.module, saved)
    told = [(phase.done, phase.total) for phase in phases if isinstance(phase, Phase)]
    total = sum(tensor.nbytes for tensor in saved.state_dict().values())
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def without(name: str) -> Any:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


O_PROJ = "model.layers.1.self_attn.o_proj.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without(O_PROJ), "lacks model.layers.1.self_attn.o_proj.weight"),
        (lambda t: {**t, "model.layers.9.x.weight": torch.ones(2)}, "does not know, e.g. model.layers.9"),
        (lambda t: {**t, O_PROJ: torch.ones(3, 48)}, "do not fit|another shape"),
    ],
)
def test_tensors_that_are_not_the_configs_are_told(tmp_path: Path, change: Any, reason: str) -> None:
    save_model(tmp_path / "m")
    rewrite(tmp_path / "m", change)
    with pytest.raises(ModelBroken, match=reason):
        loaded(tmp_path / "m")


@pytest.mark.parametrize("key", ["num_hidden_layers", "hidden_size", "num_attention_heads", "head_dim"])
@pytest.mark.parametrize("value", [None, -1, 7, "x", 10**12, 1.5, [1]])
def test_a_config_that_lies_ends_in_an_error_of_ours(tmp_path: Path, key: str, value: Any) -> None:
    save_model(tmp_path / "m")
    edit_config(tmp_path / "m", **{key: value})
    try:
        loaded(tmp_path / "m")
    except ImfineError:
        return
    assert value is None  # head_dim and the like have defaults that happen to be right


def test_broken_files_beside_the_weights_are_told(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    for name, text in [("tokenizer.json", "{}"), ("generation_config.json", "[")]:
        kept = (tmp_path / "m" / name).read_text()
        (tmp_path / "m" / name).write_text(text)
        with pytest.raises(ModelBroken):
            loaded(tmp_path / "m")
        (tmp_path / "m" / name).write_text(kept)


@pytest.mark.parametrize("method", ["gptq", "awq", "fp8"])
def test_weights_quantised_otherwise_are_refused(method: str, tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    edit_config(tmp_path / "m", quantization_config={"quant_method": method, "bits": 4})
    with pytest.raises(ModelRefused, match=f"quantised .{method}."):
        loaded(tmp_path / "m", device="cpu")


def test_weights_of_bitsandbytes_are_refused_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    save_model(tmp_path / "m")
    edit_config(tmp_path / "m", quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    with pytest.raises(ModelRefused, match="needs bitsandbytes, which is not installed") as refused:
        loaded(tmp_path / "m", device="cpu")
    assert "unquantised" in refused.value.remedy
    assert "pip install bitsandbytes" in refused.value.remedy


def test_memory_is_checked_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m")
    monkeypatch.setattr(memory, "available", lambda: 90 << 20)
    steps = load(str(tmp_path / "m"))
    with pytest.raises(OutOfMemory, match=r"needs 0\.\d GB of memory in \w+, 0\.1 GB are free"):
        next(steps)


def test_an_unknown_dtype_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="int3"):
        next(load("smollm2-135m", dtype="int3"))


def test_the_checksum_is_the_files_and_is_remembered(tmp_path: Path, home: Path) -> None:
    save_model(tmp_path / "m")
    first = loaded(tmp_path / "m")
    assert first.revision == first.checksum[:12]
    file = tmp_path / "m" / "model.safetensors"
    known = json.loads((home / "checksums.json").read_text())
    assert known[str(file)][2] == first.checksum
    (home / "checksums.json").write_text("{")
    assert loaded(tmp_path / "m").checksum == first.checksum
    rewrite(tmp_path / "m", lambda tensors: {**tensors, O_PROJ: tensors[O_PROJ] + 1})
    os.utime(file)
    changed = loaded(tmp_path / "m")
    assert changed.checksum != first.checksum
    assert changed.fingerprint != first.fingerprint


def test_each_norms_own_eps_out_of_imfine_json_is_applied(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    norm = "model.layers.1.input_layernorm"
    (tmp_path / "m" / "imfine.json").write_text(json.dumps({"norm_eps": {norm: 0.01}}))
    model = loaded(tmp_path / "m")
    assert model.module.get_submodule(norm).variance_epsilon == 0.01
    assert model.module.get_submodule("model.norm").variance_epsilon == 1e-5
    assert model.layout.eps_of(norm) == 0.01


def test_the_starter_loads_speaks_and_counts_digits_one_by_one(home: Path) -> None:
    model = loaded("smollm2-135m")
    assert (model.id, model.revision, model.card.source) == ("smollm2-135m", "0.1.2", "starter")
    assert model.nbytes == pytest.approx(134_515_008 * memory.DTYPE_BYTES[model.dtype], rel=1e-4)
    assert model.layout.eps == 1e-5
    ids = model.tokenizer("12345 hello").input_ids
    assert [model.tokenizer.decode([i]) for i in ids] == ["1", "2", "3", "4", "5", " hello"]
    text = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert model.tokenizer.eos_token_id == model.module.generation_config.eos_token_id == 2


def test_one_of_many_threads_loads_and_all_get_the_model(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    warm = Warm(1 << 30)
    got: list[LoadedModel] = []

    def ask() -> None:
        got.extend(step for step in warm.get(str(tmp_path / "m")) if isinstance(step, LoadedModel))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 6
    assert len({id(model) for model in got}) == 1
    assert len(warm.models) == 1


def test_who_leaves_while_loading_leaves_the_next_to_load(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    warm = Warm(1 << 30)
    gone = warm.get(str(tmp_path / "m"))
    next(gone)
    gone.close()
    assert isinstance([*warm.get(str(tmp_path / "m"))][-1], LoadedModel)


def test_a_failed_load_is_told_to_each_who_asks(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    rewrite(tmp_path / "m", without(O_PROJ))
    warm = Warm(1 << 30)
    for _ in range(2):
        with pytest.raises(ModelBroken):
            list(warm.get(str(tmp_path / "m")))
    assert warm.models == []


def test_the_model_unused_longest_goes_when_room_is_wanted(tmp_path: Path) -> None:
    for name in "abc":
        save_model(tmp_path / name, seed=ord(name))
    paths = [str(tmp_path / name) for name in "abc"]
    each = loaded(paths[0], dtype="float32").nbytes
    warm = Warm(int(2.5 * each))
    for path in (paths[0], paths[1], paths[0], paths[2]):
        list(warm.get(path, dtype="float32"))
    assert [str(model.path) for model in warm.models] == [paths[0], paths[2]]


def test_imfine_load_is_one_line_and_warm_the_second_time(tmp_path: Path) -> None:
    import imfine

    save_model(tmp_path / "m")
    model = imfine.load(str(tmp_path / "m"))
    assert imfine.load(str(tmp_path / "m")) is model
    events = [event.type for event in model.compare("Hi", attn=1.5, sampling={"max_new_tokens": 3})]
    assert events[-1] == "result"
    assert "tokens" in events
    with pytest.raises(Invalid, match="one or the other"):
        next(model.compare("Hi", attn=1.5, recipe={"attn": 1.2}))


def test_models_that_load_at_once_leave_torchs_default_dtype_alone(tmp_path: Path) -> None:
    save_model(tmp_path / "m")
    refs = [
        (str(tmp_path / "m"), "bfloat16"),
        (str(STARTER), "bfloat16"),
        (str(tmp_path / "m"), "float32"),
    ] * 3
    with ThreadPoolExecutor(len(refs)) as pool:
        list(pool.map(lambda each: list(load(each[0], dtype=each[1])), refs))
    assert torch.get_default_dtype() == torch.float32
