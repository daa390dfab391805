"""GGUF files: read as transformers reads them, told before they are loaded, and never trusted."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers
from gguf.constants import GGMLQuantizationType
from tokenizers import pre_tokenizers

from imfine.core.families import layout
from imfine.core.models.catalog import find, inspect
from imfine.core.models.convert import empty_model, names_of
from imfine.core.models.gguf import config_of, read_gguf
from imfine.core.models.load import LoadedModel, load
from imfine.errors import ModelBroken, ModelRefused, UnsupportedArchitecture
from imfine.settings import Settings

KINDS = {"F32": GGMLQuantizationType.F32, "F16": GGMLQuantizationType.F16, "Q8_0": GGMLQuantizationType.Q8_0}


def write(file: Path, architecture: str = "llama", kind: str = "Q8_0", **changes: Any) -> Path:
    """A small random model of llama.cpp's making, with a byte vocabulary."""
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("Tiny")
    # transformers reads neither from a GPT-2 GGUF, and takes GPT-2's own
    context, inner = (1024, 256) if architecture == "gpt2" else (128, 96)
    writer.add_context_length(context)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    if architecture != "gpt2":
        writer.add_head_count_kv(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        writer.add_key_length(16)
    else:
        writer.add_layer_norm_eps(1e-5)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", *letters, "he"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(letters) + 1))
    writer.add_token_merges([changes.pop("merge", "h e")])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for key, value in changes.items():
        writer.add_string(key.replace("__", "."), value)
    config: dict[str, Any] = {
        "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"},
        "gpt2": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"},
    }[architecture]
    if architecture == "gpt2":
        config |= {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": inner, "n_positions": context}
    else:
        config |= {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16}
        config |= {"num_key_value_heads": 2, "intermediate_size": inner, "tie_word_embeddings": False}
    model = empty_model({**config, "vocab_size": len(tokens)}, torch.float32)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    dice = np.random.default_rng(1)
    for theirs, ours in names_of(shapes, architecture, 2).items():
        if theirs == "output.weight" and architecture == "gpt2":
            continue
        turned = architecture == "gpt2" and len(shapes[ours]) == 2 and ".h." in ours
        values = dice.standard_normal(shapes[ours][::-1] if turned else shapes[ours]).astype(np.float32)
        if values.ndim == 1:
            writer.add_tensor(theirs, values)
        elif kind == "Q8_0":
            quantised = gguf.quants.quantize(values, KINDS[kind])
            writer.add_tensor(theirs, quantised, raw_dtype=KINDS[kind])
        else:
            writer.add_tensor(theirs, values.astype(np.float16 if kind == "F16" else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt2"])
def test_a_gguf_becomes_what_transformers_reads_from_it(
    home: Path, tmp_path: Path, architecture: str, kind: str
) -> None:
    file = write(tmp_path / "tiny.gguf", architecture, kind)
    card = find(str(file), Settings(home=home), any_folder=True)
    assert card.ready
    assert card.parameters is not None
    assert card.expanded_size == card.parameters * (4 if kind == "F32" else 2)
    *phases, model = load(str(file), dtype="float32")
    assert isinstance(model, LoadedModel)
    assert [phase for phase in phases if getattr(phase, "phase", "") == "saving"]
    reference = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=file.name, dtype=torch.float32
    )
    kept = {"F32": torch.float32, "F16": torch.float16, "Q8_0": torch.bfloat16}[kind]
    ours = model.module.state_dict()
    for name, value in reference.state_dict().items():
        assert torch.equal(ours[name], value.to(kept).to(torch.float32)), name
    assert model.tokenizer("hello").input_ids
    again = list(load(str(file), dtype="float32"))
    assert not [phase for phase in again if getattr(phase, "phase", "") == "saving"]


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_its_tensors_are_told_under_the_names_they_will_have(
    home: Path, tmp_path: Path, architecture: str
) -> None:
    file = write(tmp_path / "tiny.gguf", architecture)
    told = inspect(str(file), Settings(home=home))["tensors"]
    *_, model = load(str(file))
    assert isinstance(model, LoadedModel)
    stack = model.layout.row.stack
    shapes = {n: list(p.shape) for n, p in model.module.named_parameters() if n.startswith(stack)}
    assert shapes == {name: tensor["shape"] for name, tensor in told.items() if name.startswith(stack)}


def test_the_config_is_the_one_that_was_meant(tmp_path: Path) -> None:
    config = config_of(read_gguf(write(tmp_path / "tiny.gguf")))
    assert config["rms_norm_eps"] == 1e-5
    assert layout(config).to_json()["head_dim"] == 16
    assert json.dumps(config)


def test_what_cannot_be_read_exactly_is_refused(tmp_path: Path) -> None:
    scaled = write(tmp_path / "scaled.gguf", llama__rope__scaling__type="yarn")
    with pytest.raises(ModelRefused, match="rotary"):
        config_of(read_gguf(scaled))
    other = write(tmp_path / "other.gguf")
    other.write_bytes(other.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba", 1))
    with pytest.raises(UnsupportedArchitecture, match="mamba"):
        config_of(read_gguf(other))


def test_a_tokenizer_that_contradicts_itself_is_told_and_nothing_is_left(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.gguf", merge="x y")
    with pytest.raises(ModelBroken, match="tokenizer cannot be read"):
        list(load(str(file)))
    assert [path.name for path in (home / "converted").iterdir() if path.is_dir()] == []


def header(tensors: int = 0, pairs: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends where"),
        (b"GGML" + bytes(40), "begin with GGUF"),
        (header(version=1), "version 1"),
        (header(tensors=1 << 60), "claims"),
        (header(pairs=1 << 60), "claims"),
        (header(pairs=1) + struct.pack("<Q", 1 << 62), "ends where"),
        (header(pairs=1) + struct.pack("<Q1sI", 1, b"a", 99), "unknown type"),
        (header(pairs=1) + struct.pack("<Q1sIIQ", 1, b"a", 9, 8, 1 << 60), "array of"),
        (header(pairs=1) + struct.pack("<Q1sIIQ", 1, b"a", 9, 9, 3), "array of unknown"),
        (header(tensors=1) + struct.pack("<Q1sI", 1, b"a", 1 << 30), "dimensions"),
        (header(tensors=1) + struct.pack("<Q1sIQIQ", 1, b"a", 1, 1 << 50, 0, 0), "cut off"),
        (header(tensors=1) + struct.pack("<Q1sIQIQ", 1, b"a", 1, 4, 200, 0), "unknown type"),
        (header(tensors=1) + struct.pack("<Q1sIQIQ", 1, b"a", 1, 5, 8, 0), "blocks"),
    ],
)
def test_a_forged_file_is_told(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "forged.gguf"
    file.write_bytes(data)
    with pytest.raises(ModelBroken, match=reason):
        read_gguf(file)


def test_no_damage_gets_past_the_check_as_another_error(tmp_path: Path) -> None:
    file = write(tmp_path / "tiny.gguf")
    whole = file.read_bytes()
    dice = random.Random(1)
    for _ in range(400):
        damaged = bytearray(whole[: dice.randint(0, len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randint(1, 4)):
            if damaged:
                damaged[dice.randrange(min(len(damaged), 6000))] = dice.randrange(256)
        file.write_bytes(damaged)
        try:
            layout(config_of(read_gguf(file)))
        except (ModelBroken, ModelRefused, UnsupportedArchitecture):
            continue
