"""Which models there are, and which names are refused: nothing of a model is executed, no door leads out."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from model_folders import edit_config, save_model

from imfine.core.models.catalog import Card, cards, find, inspect, layout_of
from imfine.core.models.languages import KOREAN_CAPABLE, language_notice
from imfine.errors import ModelBroken, ModelNotFound, ModelRefused, NoNetwork, UnsupportedArchitecture
from imfine.settings import Settings


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    save_model(folder, dtype=torch.bfloat16)
    return folder


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    (tmp_path / "mine").mkdir()
    return Settings(home=home, model_dirs=[tmp_path / "mine"])


@pytest.fixture
def tiny(settings: Settings, saved: Path) -> Path:
    """A whole small model in a models directory, for a test to spoil."""
    return Path(shutil.copytree(saved, settings.model_dirs[0] / "tiny"))


def by_id(settings: Settings) -> dict[str, Card]:
    return {card.id: card for card in cards(settings)}


def test_the_starter_comes_first_and_is_whole(settings: Settings) -> None:
    first = cards(settings)[0]
    assert (first.id, first.source, first.ready, first.starter) == ("smollm2-135m", "starter", True, True)
    assert (first.family, first.layers, first.languages) == ("llama", 30, ["en"])
    assert (first.parameters, first.licence, first.revision) == (134_515_008, "apache-2.0", "0.1.2")
    assert first.fits
    assert first.reason is None
    assert first.path is not None


def test_a_starter_of_the_checkout_is_ready_without_fetching(tmp_path: Path) -> None:
    fresh = Settings(home=tmp_path / "fresh")
    card = by_id(fresh)["gpt2-classics"]
    assert (card.family, card.source, card.starter, card.ready) == ("gpt", "starter", True, True)
    assert (card.licence, card.languages, card.fits) == ("apache-2.0", ["en"], True)
    assert find("gpt2-classics", fresh, any_folder=False) == card


def test_before_it_is_fetched_a_card_says_what_it_will_be(settings: Settings, tmp_path: Path) -> None:
    fresh = by_id(Settings(home=tmp_path / "fresh"))
    starter, ready = fresh["smollm2-135m"], by_id(settings)["smollm2-135m"]
    assert not starter.ready
    assert starter.path is None
    assert starter.download_size == 92_871_040
    for same in ("parameters", "memory_needed", "family", "architecture", "layers", "licence"):
        assert getattr(starter, same) == getattr(ready, same)
    gated = fresh["meta-llama/Llama-2-7b-hf"]
    assert gated.gated
    assert not gated.ready
    assert "ko" in (fresh[KOREAN_CAPABLE].languages or [])
    assert json.dumps([card.to_json() for card in fresh.values()])


def test_folders_are_found_by_name_and_by_path(settings: Settings, tiny: Path) -> None:
    (tiny / "README.md").write_text("---\nlicense: mit\nlanguage:\n- en\n- ko\n---\n# Tiny")
    card = by_id(settings)["tiny"]
    assert (card.source, card.ready, card.licence, card.languages) == ("local", True, "mit", ["en", "ko"])
    assert card == find("tiny", settings, any_folder=False)
    assert find(str(tiny), settings, any_folder=False).id == "tiny"
    assert find(str(tiny / ".." / "tiny"), settings, any_folder=True).id == "tiny"
    found = inspect("tiny", settings, any_folder=False)
    assert found["layout"]["points"] == ["q", "k", "v", "o", "gate", "up", "down", "norm"]
    assert found["tensors"]["model.layers.2.mlp.up_proj.weight"] == {"shape": [80, 48], "dtype": "BF16"}
    assert found["memory"]["float32"] > found["memory"]["bfloat16"]
    sizes = [torch.Size(tensor["shape"]).numel() for tensor in found["tensors"].values()]
    assert sum(sizes) == card.parameters


def test_two_folders_of_one_name_are_both_named(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny, tmp_path / "other" / "tiny"))
    settings.model_dirs.append(tmp_path / "other")
    assert {"tiny", str(other)} <= by_id(settings).keys()


ODD = [
    "../../etc", "/etc/passwd", "/etc", "%252e%252e", "%2e%2e/etc", "..", "tiny/../../..", "\0", "tiny\0",
    "a\nb",
    "\ud800", "..\\..\\etc", "~", "~root", ".", "./tiny", "", " ", "x" * 2000, "/proc/self/root/etc",
    "\u202etiny",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_names_that_try_doors_are_refused(settings: Settings, tiny: Path, name: str) -> None:
    with pytest.raises(ModelRefused) as caught:
        find(name, settings, any_folder=False)
    json.dumps(caught.value.to_json()).encode()


@pytest.mark.parametrize("name", ["nosuch", "no such", "a/b/c", "https://a.example/x", "file:///etc", "-rf"])
def test_names_of_nothing_are_not_found_without_asking_anyone(settings: Settings, name: str) -> None:
    with pytest.raises(ModelNotFound, match="no model"):
        find(name, settings, any_folder=False)


def test_a_hub_model_without_network_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NoNetwork, match="cannot be reached"):
        find("nobody/nothing", settings, any_folder=False)


def test_a_path_below_no_allowed_folder_tells_nothing_of_what_is_there(
    settings: Settings, saved: Path, tmp_path: Path
) -> None:
    said = set()
    for path in (saved, saved.parent / "absent"):
        with pytest.raises(ModelRefused) as caught:
            find(str(path), settings, any_folder=False)
        said.add(caught.value.message.replace(str(path), "…"))
    assert len(said) == 1
    assert find(str(saved), settings, any_folder=True).ready


def test_a_folder_that_is_a_link_out_of_its_root_is_refused(settings: Settings, saved: Path) -> None:
    (settings.model_dirs[0] / "linked").symlink_to(saved)
    assert "linked" not in by_id(settings)
    with pytest.raises(ModelNotFound):
        find("linked", settings, any_folder=False)
    with pytest.raises(ModelRefused):
        find(str(settings.model_dirs[0] / "linked"), settings, any_folder=False)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "notes.txt"])
def test_a_file_that_is_a_link_out_of_the_folder_is_refused_everywhere(
    settings: Settings, tiny: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    if (tiny / name).exists():
        shutil.move(tiny / name, outside)
    else:
        outside.write_text("secret")
    (tiny / name).symlink_to(outside)
    assert (by_id(settings)["tiny"].reason or {})["code"] == "model_refused"
    with pytest.raises(ModelRefused, match="leads out"):
        find(str(tiny), settings, any_folder=True)


def snapshot(root: Path, source: Path, commit: str = "c0ffee") -> Path:
    """A repository as huggingface_hub keeps it: the snapshot's files are links to blobs."""
    base = root / "models--me--tiny"
    folder = base / "snapshots" / commit
    (base / "blobs").mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(commit)
    folder.mkdir(parents=True)
    for i, file in enumerate(sorted(source.iterdir())):
        shutil.copy(file, base / "blobs" / str(i))
        (folder / file.name).symlink_to(f"../../blobs/{i}")
    return folder


def test_the_hub_caches_own_links_are_fine(
    settings: Settings, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = snapshot(tmp_path / "hub", saved)
    card = find("me/tiny", settings, any_folder=False)
    assert (card.ready, card.source, card.revision, card.path) == (True, "hub", "c0ffee", str(folder))
    assert find("me/tiny@c0ffee", settings, any_folder=False).ready
    assert find(str(folder), settings, any_folder=False).ready
    assert by_id(settings)["me/tiny"].ready
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(saved / "config.json")
    with pytest.raises(ModelRefused, match="leads out"):
        find("me/tiny", settings, any_folder=False)


def test_a_snapshot_that_lacks_its_weights_is_not_ready(
    settings: Settings, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    (snapshot(tmp_path / "hub", saved) / "model.safetensors").unlink()
    with pytest.raises(NoNetwork):
        find("me/tiny", settings, any_folder=False)
    assert not by_id(settings)["me/tiny"].ready


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt"])
def test_pickled_weights_alone_are_refused_and_never_opened(
    settings: Settings, tiny: Path, tmp_path: Path, suffix: str
) -> None:
    ran = tmp_path / "ran"
    payload = f"cposix\nsystem\n(S'touch {ran}'\ntR.".encode()
    (tiny / "model.safetensors").unlink()
    (tiny / f"pytorch_model{suffix}").write_bytes(payload)
    with pytest.raises(ModelRefused, match="pickled"):
        find("tiny", settings, any_folder=True)
    assert (by_id(settings)["tiny"].reason or {})["code"] == "model_refused"
    assert not ran.exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_refused_and_never_run(
    settings: Settings, tiny: Path, tmp_path: Path, name: str
) -> None:
    ran = tmp_path / "ran"
    (tiny / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: ...\n")
    edit_config(tiny, name, auto_map={"AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]})
    with pytest.raises(ModelRefused, match="auto_map"):
        inspect("tiny", settings)
    assert (by_id(settings)["tiny"].reason or {})["code"] == "model_refused"
    assert not ran.exists()


def test_what_is_no_model_or_a_broken_one_says_which(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="holds no model"):
        find(str(tmp_path), settings, any_folder=True)
    edit_config(tiny, architectures=["BloomForCausalLM"])
    with pytest.raises(UnsupportedArchitecture, match="BloomForCausalLM"):
        find("tiny", settings, any_folder=False)
    edit_config(tiny, architectures=["LlamaForCausalLM"])
    (tiny / "tokenizer.json").rename(tiny / "away")
    with pytest.raises(ModelBroken, match="no tokenizer"):
        find("tiny", settings, any_folder=False)
    (tiny / "away").rename(tiny / "tokenizer.json")
    os.truncate(tiny / "model.safetensors", 1000)
    with pytest.raises(ModelBroken, match=r"model\.safetensors is broken"):
        find("tiny", settings, any_folder=False)
    (tiny / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match=r"no \.safetensors"):
        find("tiny", settings, any_folder=False)
    assert (by_id(settings)["tiny"].reason or {})["code"] == "model_not_found"


@pytest.mark.parametrize(
    "head", ["language: en", "language: [en, ko]", "- a", "{", "language: {a: b}", "&a [*a, *a]", "\x00"]
)
def test_a_readme_can_say_anything(settings: Settings, tiny: Path, head: str) -> None:
    (tiny / "README.md").write_text(f"---\n{head}\n---\n")
    assert find("tiny", settings, any_folder=False).ready


def test_the_layout_of_a_found_model_needs_its_config_alone(settings: Settings, tiny: Path) -> None:
    assert layout_of(find("tiny", settings, any_folder=False)).layers == 3
    assert layout_of(find("gpt2", settings, any_folder=False)).layers == 12


@pytest.mark.parametrize(
    ("languages", "prompt", "told"),
    [
        (["en"], "슈퍼맨이 되고 싶어", True),
        (["en"], "What does ㅋㅋ mean?", True),
        (["en"], "I want to be a superman. 漢字", False),
        (["en", "ko"], "안녕", False),
        (["multilingual"], "안녕", False),
        (None, "안녕", False),
        ([], "안녕", False),
    ],
)
def test_a_hangul_prompt_to_a_model_without_korean_is_told(
    settings: Settings, languages: list[str] | None, prompt: str, told: bool
) -> None:
    from dataclasses import replace

    card = replace(find("smollm2-135m", settings, any_folder=False), languages=languages)
    notice = language_notice(card, prompt)
    assert (notice is not None) == told
    if notice is not None:
        wanted: dict[str, Any] = {"model": card.id, "languages": languages, "offer": KOREAN_CAPABLE}
        assert notice.code == "language"
        assert wanted.items() <= notice.params.items()
