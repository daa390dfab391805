"""Safetensors headers read by hand: what is whole is read, what is not ends here, with file and reason."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imfine.core.models.weights import parameters_of, read_folder, read_json, read_safetensors, weight_files
from imfine.errors import ModelBroken

ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def write(file: Path, header: Any, data: int = 24, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + bytes(data))
    return file


def test_reads_what_safetensors_wrote(tmp_path: Path) -> None:
    made = {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16), "c": torch.zeros(0, 5)}
    save_file(made, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = read_folder(tmp_path)
    assert {name: tensor.shape for name, tensor in found.items()} == {"a": (2, 3), "b": (4,), "c": (0, 5)}
    assert found["b"].dtype == "BF16"
    assert found["a"].nbytes == 24


@pytest.mark.parametrize(
    ("header", "data", "length", "reason"),
    [
        ({"a": ENTRY}, 24, 1 << 60, "header claims"),
        ({"a": ENTRY}, 24, 200_000_000, "header claims"),
        ({"a": ENTRY}, 20, None, "cut off"),
        ({"a": ENTRY}, 28, None, "cut off or padded"),
        ({"a": ENTRY, "b": ENTRY}, 48, None, "overlaps"),
        ({"a": {**ENTRY, "data_offsets": [4, 28]}}, 28, None, "hole"),
        ({"a": {**ENTRY, "data_offsets": [-4, 20]}}, 24, None, "needs 24 bytes"),
        ({"a": {**ENTRY, "data_offsets": [0, 20]}}, 20, None, "needs 24 bytes"),
        ({"a": {**ENTRY, "shape": [2**40, 2**40]}}, 24, None, "needs"),
        ({"a": {**ENTRY, "shape": [-2, -3]}}, 24, None, "malformed"),
        ({"a": {**ENTRY, "shape": [True, 3]}}, 24, None, "malformed"),
        ({"a": {**ENTRY, "dtype": "OBJECT"}}, 24, None, "malformed"),
        ({"a": 5}, 24, None, "malformed"),
        ([1], 24, None, "not a JSON object"),
        (b"{", 24, None, "cannot be read"),
        (b"\xff\xfe{}", 24, None, "cannot be read"),
        (b"[" * 100_000, 24, None, "cannot be read"),
        (b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"a":1}', 24, None, "twice"),
    ],
)
def test_a_forged_header_is_told(
    tmp_path: Path, header: Any, data: int, length: int | None, reason: str
) -> None:
    file = write(tmp_path / "model.safetensors", header, data, length)
    with pytest.raises(ModelBroken, match=reason) as caught:
        read_safetensors(file)
    assert caught.value.params["file"] == "model.safetensors"


@pytest.mark.parametrize("size", [0, 7, 8, 50])
def test_a_cut_off_file_is_told(tmp_path: Path, size: int) -> None:
    file = write(tmp_path / "model.safetensors", {"a": ENTRY})
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelBroken):
        read_safetensors(file)


def test_no_damage_to_a_header_gets_past_it_as_another_error(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(4)}, file)
    whole = file.read_bytes()
    dice = random.Random(1)
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(whole))] = dice.randrange(256)
        file.write_bytes(damaged[: dice.randint(0, len(whole))] if dice.random() < 0.2 else damaged)
        try:
            read_safetensors(file)
        except ModelBroken:
            continue


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/x.safetensors", "sub/x.safetensors", "x.bin"])
def test_an_index_may_name_only_files_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelBroken, match="not a safetensors file of this folder"):
        weight_files(tmp_path)


def test_a_missing_shard_and_a_repeated_tensor_are_told(tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict(zip("ab", names, strict=True))})
    )
    write(tmp_path / names[0], {"a": ENTRY})
    with pytest.raises(ModelBroken, match="not there"):
        read_folder(tmp_path)
    write(tmp_path / names[1], {"a": ENTRY})
    with pytest.raises(ModelBroken, match="another shard"):
        read_folder(tmp_path)
    write(tmp_path / names[1], {"b": ENTRY})
    assert read_folder(tmp_path).keys() == {"a", "b"}


def test_masks_rotary_frequencies_and_a_tied_output_layer_are_no_parameters(tmp_path: Path) -> None:
    names = ["h.0.attn.bias", "h.0.attn.masked_bias", "h.0.attn.c_attn.bias", "wte.weight", "lm_head.weight"]
    names += ["model.layers.0.self_attn.rotary_emb.inv_freq"]
    save_file({name: torch.zeros(2) for name in names}, tmp_path / "model.safetensors")
    found = read_folder(tmp_path)
    assert parameters_of(found, tied=True).keys() == {"h.0.attn.c_attn.bias", "wte.weight"}
    assert "lm_head.weight" in parameters_of(found, tied=False)


@pytest.mark.parametrize("text", ["", "[]", "nul", '"x"', "[" * 50_000])
def test_json_that_is_no_object_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelBroken, match=r"config\.json"):
        read_json(tmp_path / "config.json")
