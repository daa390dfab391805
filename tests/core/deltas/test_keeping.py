"""Adapters that are given: a file, a folder or a zip becomes a delta whole, or nothing is left of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from delta_models import Home, text_home
from safetensors.torch import save_file

from imfine.core.deltas.found import Delta, deltas_of
from imfine.core.deltas.keeping import adapters, keep_adapter, take_away
from imfine.core.models.catalog import check_name, find
from imfine.core.models.folders import ADAPTERS
from imfine.errors import AdapterError, Conflict, Invalid, NotFound

Q = "base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{side}.weight"


def lora(file: Path, width: int = 48, layer: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pair = {"A": torch.ones(2, width), "B": torch.ones(width, 2)}
    save_file({Q.format(layer=layer, side=side): tensor for side, tensor in pair.items()}, file)
    return file


def peft_folder(folder: Path) -> Path:
    lora(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 8}')
    return folder


def zipped(folder: Path, file: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(file, "w") as out:
        for each in folder.iterdir():
            out.write(each, prefix + each.name)
    return file


def give(home: Home, path: Path, name: str = "mine") -> Delta:
    return keep_adapter(path, name, find("parent", home.settings, any_folder=False), home.settings)


def left(home: Home) -> list[str]:
    folder = home.settings.home / ADAPTERS
    return (
        sorted(each.name for each in folder.iterdir() if not each.name.endswith(".lock"))
        if folder.is_dir()
        else []
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return text_home(tmp_path / "home")


def test_a_file_a_folder_and_a_zip_become_deltas(home, tmp_path):
    folder = peft_folder(tmp_path / "given")
    give(home, lora(tmp_path / "one.safetensors"), "file")
    assert give(home, folder, "folder").pairs["model.layers.0.self_attn.q_proj"].scale == 4.0
    assert give(home, zipped(folder, tmp_path / "a.zip", "my-adapter/"), "zip").method == "lora"
    found = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    assert [(d.id, d.kind, d.parts) for d in found] == [
        (name, "adapter", ("attn",)) for name in ("file", "folder", "zip")
    ]
    listed = {entry["id"]: entry for entry in adapters(home.settings)}
    assert listed["zip"]["file"] == "a.zip"
    assert listed["zip"]["model"] == "parent"
    assert listed["zip"]["delta"]["tensors"] == 1
    take_away("zip", home.settings)
    assert left(home) == ["file", "folder"]
    with pytest.raises(NotFound):
        take_away("zip", home.settings)
    with pytest.raises(NotFound):
        take_away("../models/parent", home.settings)


def test_what_is_no_adapter_leaves_nothing(home, tmp_path):
    given = peft_folder(tmp_path / "given")
    (given / "adapter_model.safetensors").unlink()
    (given / "adapter_model.bin").write_bytes(b"pickle")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(lora(tmp_path / "whole.safetensors").read_bytes()[:-3])
    for path, says in {
        given: "adapter_model.bin is a pickle",
        zipped(given, tmp_path / "b.zip"): "adapter_model.bin is a pickle",
        lora(tmp_path / "wide.safetensors", width=96): "q_proj is 96 × 96",
        lora(tmp_path / "deep.safetensors", layer=9): "layers.9.self_attn.q_proj",
        torn: "cut off",
    }.items():
        with pytest.raises(Invalid) as error:
            give(home, path)
        assert says in str(error.value)
    climbing = tmp_path / "c.zip"
    with zipfile.ZipFile(climbing, "w") as out:
        out.writestr("../adapter_model.safetensors", b"x")
    with pytest.raises(AdapterError):
        give(home, climbing)
    assert left(home) == []


def test_a_name_is_taken_once(home, tmp_path):
    file = lora(tmp_path / "one.safetensors")
    give(home, file)
    for name in ("mine", "parent", "smollm2-135m", "emoji-diffusion"):
        with pytest.raises(Conflict, match="already"):
            give(home, file, name)
    for name in ("../x", "", "a/b", ".hidden", "x" * 65):
        with pytest.raises(Invalid):
            give(home, file, name)
    with pytest.raises(Conflict, match="adapter called 'mine'"):
        check_name("mine", home.settings)  # of a model that is to be trained
    assert left(home) == ["mine"]


def test_one_whose_model_has_changed_is_listed_with_the_reason(home, tmp_path):
    give(home, lora(tmp_path / "one.safetensors"))
    weights = home.parent / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    (entry,) = adapters(home.settings)
    assert entry["delta"] is None
    assert "not here any more as mine was given for it" in entry["reason"]["message"]
    assert deltas_of(find("parent", home.settings, any_folder=False), home.settings) == []
