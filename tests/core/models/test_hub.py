"""Models of the Hub: fetched, refused, told apart.

The command line runs in processes of its own, whose HF_ENDPOINT is that server.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_hub import COMMIT, Hub, serve_hub
from gguf_files import write
from model_folders import edit_config, save_model
from small_pictures import loaded, save


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


@dataclass
class Said:
    code: int
    out: str
    err: str


def imfine(*words: str, hub: Hub | None = None, **environment: str) -> Said:
    own = {"HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9", "HF_HUB_DISABLE_XET": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", "from imfine.cli import main; main()", *words],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def tiny(hub: Hub, home: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    save_model(folder)
    (folder / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n")
    (folder / "evil.py").write_text("raise SystemExit")
    (folder / "consolidated.safetensors").write_bytes(b"the same weights once more")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: ko\n---")
    hub.repos["me/tiny"] = folder
    return folder


def test_a_model_is_fetched_once_with_its_safe_files_only(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    said = imfine("pull", "me/tiny", hub=hub)
    assert said.code == 0, said.err
    assert "Fetching" in said.err
    snapshot = tmp_path / "hf" / "hub" / "models--me--tiny" / "snapshots" / COMMIT
    assert f"me/tiny is ready in {snapshot}" in said.out
    names = {file.name for file in snapshot.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= names
    assert not names & {"pytorch_model.bin", "evil.py", "consolidated.safetensors"}
    hub.asked.clear()
    again = imfine("pull", "me/tiny", hub=hub)
    assert again.code == 0
    assert hub.asked == []
    offline = imfine("inspect", "me/tiny", "--json", HF_HUB_OFFLINE="1")
    card = json.loads(offline.out)["card"]
    assert (card["ready"], card["revision"], card["languages"]) == (True, COMMIT, ["ko"])


def test_a_card_is_told_before_the_weights_come(hub: Hub, tiny: Path) -> None:
    told = json.loads(imfine("inspect", "me/tiny", "--json", hub=hub).out)
    assert told["card"]["languages"] == ["en", "ko"]
    assert told["card"]["download_size"] >= (tiny / "model.safetensors").stat().st_size
    assert told["layout"]["layers"] == 3
    assert not any("safetensors" in line for line in hub.asked)


def test_a_download_that_breaks_off_goes_on_where_it_was(hub: Hub, tiny: Path) -> None:
    size = (tiny / "model.safetensors").stat().st_size
    hub.cut = size // 2 + 1  # larger than every other file's rest
    imfine("pull", "me/tiny", hub=hub)
    hub.cut = None
    assert imfine("pull", "me/tiny", hub=hub).code == 0


def test_what_does_not_exist_what_is_gated_and_no_network_are_three_errors(hub: Hub, tiny: Path) -> None:
    absent = imfine("pull", "me/absent", hub=hub)
    assert absent.code == 2
    assert "the Hub has no model me/absent" in absent.err
    revision = imfine("pull", "me/tiny@nosuch", hub=hub)
    assert revision.code == 2
    assert "me/tiny has no revision nosuch" in revision.err
    hub.gated.add("me/tiny")
    gated = imfine("pull", "me/tiny", hub=hub)
    assert gated.code == 1
    assert "me/tiny asks you to accept its terms first" in gated.err
    assert f"{hub.url}/me/tiny" in gated.err
    assert "HF_TOKEN" in gated.err
    assert imfine("pull", "me/tiny", hub=hub, HF_TOKEN="hf_good").code == 0
    away = imfine("pull", "me/other")
    assert away.code == 1
    assert "cannot be reached" in away.err
    off = imfine("pull", "me/other", hub=hub, HF_HUB_OFFLINE="1")
    assert off.code == 1
    assert "switched off by HF_HUB_OFFLINE" in off.err


def test_code_and_pickles_are_refused_before_any_weights_come(hub: Hub, tiny: Path) -> None:
    edit_config(tiny, auto_map={"AutoModelForCausalLM": "evil.Model"})
    code = imfine("pull", "me/tiny", hub=hub)
    assert code.code == 2
    assert "auto_map" in code.err
    (tiny / "model.safetensors").unlink()
    (tiny / "consolidated.safetensors").unlink()
    pickles = imfine("pull", "me/tiny", hub=hub)
    assert pickles.code == 2
    assert "pickled" in pickles.err
    assert not any(".safetensors" in line or ".bin" in line or ".py" in line for line in hub.asked)


def test_memory_is_checked_before_any_weights_come(hub: Hub, tiny: Path) -> None:
    said = imfine("pull", "me/tiny", hub=hub, IMFINE_MEMORY_BUDGET_GIB="0.05")
    assert said.code == 1
    assert "needs 0.1 GB of memory" in said.err
    assert not any("safetensors" in line for line in hub.asked)


def test_a_gguf_is_fetched_when_it_is_named(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    write(tiny / "tiny.gguf")
    before = imfine("inspect", "me/tiny/tiny.gguf", hub=hub)
    assert before.code == 2
    assert "run imfine pull me/tiny/tiny.gguf" in before.err
    said = imfine("pull", "me/tiny/tiny.gguf", hub=hub)
    assert said.code == 0, said.err
    assert "tiny.gguf" in said.out
    wrong = imfine("pull", "me/tiny/other.gguf", hub=hub)
    assert wrong.code == 2
    assert "name one of: tiny.gguf" in wrong.err


def test_an_image_model_is_fetched_in_half_precision_and_draws(hub: Hub, home: Path, tmp_path: Path) -> None:
    folder = save("sd1", tmp_path / "remote")
    for file in list(folder.rglob("*.safetensors")):
        shutil.copyfile(file, file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
        file.with_suffix(".bin").write_bytes(b"cposix")
    (folder / "v1-5-pruned.safetensors").write_bytes(b"all of it once more")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"not wanted")
    hub.repos["me/painter"] = folder
    told = json.loads(imfine("inspect", "me/painter", "--json", hub=hub).out)
    assert told["layout"]["image"]["sample_size"] == 16
    assert told["card"]["family"] == "stable-diffusion"
    assert not any("safetensors" in line for line in hub.asked)
    assert imfine("pull", "me/painter", hub=hub).code == 0
    snapshot = tmp_path / "hf" / "hub" / "models--me--painter" / "snapshots" / COMMIT
    names = {str(file.relative_to(snapshot)) for file in snapshot.rglob("*.*") if file.is_file()}
    weights = {name for name in names if name.endswith(".safetensors")}
    assert weights == {
        f"{part}.fp16.safetensors"
        for part in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")
    }
    assert not any(name.endswith(".bin") for name in names)
    card = json.loads(imfine("inspect", "me/painter", "--json", HF_HUB_OFFLINE="1").out)["card"]
    assert (card["ready"], card["revision"]) == (True, COMMIT)
    assert loaded(snapshot).layout.layers == 14


def test_an_image_model_of_pickles_is_refused_before_anything_comes(
    hub: Hub, home: Path, tmp_path: Path
) -> None:
    folder = save("sd1", tmp_path / "remote")
    for file in list(folder.rglob("*.safetensors")):
        file.rename(file.with_suffix(".bin"))
    hub.repos["me/painter"] = folder
    said = imfine("pull", "me/painter", hub=hub)
    assert said.code == 2
    assert "pickled" in said.err
