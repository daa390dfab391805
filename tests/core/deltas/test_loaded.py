"""Deltas in memory: read once, counted; the one unused longest goes first, a new one of the name is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from delta_models import Home, answers, text_home
from safetensors.torch import save_file

from imfine.core import memory
from imfine.core.deltas.keeping import keep_adapter, take_away
from imfine.core.deltas.loaded import load_deltas
from imfine.core.events import Phase
from imfine.core.models.catalog import find
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.generate import Lane, TextRequest, generate
from imfine.errors import OutOfMemory

pytestmark = pytest.mark.usefixtures("one_thread")


def give(home: Home, folder: Path, name: str, value: float = 0.1, rank: int = 2) -> None:
    file = folder / f"{name}.safetensors"
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    save_file(
        {key.format("A"): torch.full((rank, 48), value), key.format("B"): torch.full((48, rank), value)}, file
    )
    keep_adapter(file, name, find("parent", home.settings, any_folder=False), home.settings)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return text_home(tmp_path / "home")


def test_it_is_read_once_with_its_bytes_told(home, tmp_path):
    give(home, tmp_path, "mine")
    model = home.load()
    alone = model.nbytes
    recipe = Recipe(deltas={"mine": 0.5})
    bytes_of_it = 2 * 2 * 48 * 4
    assert list(load_deltas(model, [recipe, Recipe()])) == [
        Phase("loading", 0, bytes_of_it, "bytes"),
        Phase("loading", bytes_of_it, bytes_of_it, "bytes"),
    ]
    assert list(load_deltas(model, [recipe])) == []
    assert list(load_deltas(model, [Recipe(deltas={"mine": 0})])) == []
    assert model.nbytes == alone + bytes_of_it


def test_the_one_unused_longest_goes_when_there_is_no_room(home, tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        give(home, tmp_path, name)
    model = home.load()
    room = 2 * 2 * 2 * 48 * 4  # for two
    monkeypatch.setattr(memory, "available", lambda: room - model.equalizer.delta_bytes)
    for name in ("a", "b", "a", "c"):
        list(load_deltas(model, [Recipe(deltas={name: 1})]))
    assert list(model.equalizer.deltas) == ["a", "c"]
    with pytest.raises(OutOfMemory) as error:
        list(load_deltas(model, [Recipe(deltas={"b": 1})], in_use={"a", "c"}))
    assert error.value.field == "recipe.deltas.b"
    with pytest.raises(OutOfMemory):
        list(load_deltas(model, [Recipe(deltas={"a": 1, "b": 1, "c": 1})]))


def test_another_delta_of_the_name_is_read_anew(home, tmp_path):
    give(home, tmp_path, "mine")
    model, recipe = home.load(), Recipe(deltas={"mine": 1})
    before = answers(model, recipe)
    take_away("mine", home.settings)
    give(home, tmp_path, "mine", value=0.3)
    assert not torch.equal(answers(model, recipe), before)


def test_a_trained_lora_takes_its_whole_weights_only_for_exactly_one(home):
    home.train("trained", method="lora")
    model = home.load()
    list(load_deltas(model, [Recipe(deltas={"trained": 0.99})]))
    small = model.equalizer.delta_bytes
    list(load_deltas(model, [Recipe(deltas={"trained": 1})]))
    assert model.equalizer.delta_bytes > 5 * small
    assert list(load_deltas(model, [Recipe(deltas={"trained": 0.5})])) == []


def test_answers_name_it_and_the_original_stays_proven(home):
    home.train("trained", method="full", lr=2e-2)
    model = home.load()
    lanes = tuple(
        Lane(name, recipe)
        for name, recipe in {
            "base": Recipe(),
            "trained": Recipe(deltas={"trained": 1}),
            "half": Recipe(deltas={"trained": 0.5}),
        }.items()
    )
    request = TextRequest(lanes, "the old man", Sampling(greedy=True, max_new_tokens=8))
    result = list(generate(model, request))[-1]
    assert result.checksum["verified"]
    assert result.recipe == {"deltas": {"trained": 1.0}}
    assert result.manifest["touched"] == 3 * 14
    trained = home.load("trained")
    alone = TextRequest((Lane("base"),), "the old man", Sampling(greedy=True, max_new_tokens=8))
    assert list(generate(trained, alone))[-1].lanes[0].token_ids == result.lanes[1].token_ids
