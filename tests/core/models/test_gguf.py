"""GGUF files: read as transformers reads them, told before they are loaded, and never trusted."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import pytest
import torch
import transformers
from gguf_files import KINDS, write

from imfine.core.families import layout
from imfine.core.models.catalog import find, inspect
from imfine.core.models.gguf import config_of, read_gguf
from imfine.core.models.load import LoadedModel, load
from imfine.errors import ModelBroken, ModelRefused, UnsupportedArchitecture
from imfine.settings import Settings


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
