"""Data sets of the Hub, fetched by the command line from a real server that answers as huggingface.co."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hub import Hub, serve_hub
from PIL import Image

from imfine.core.data.hub import wanted
from imfine.errors import DataError


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


def check(uri: str, hub: Hub, home: Path, **environment: str) -> tuple[int, dict[str, Any], str]:
    own = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home), **environment}
    command = [sys.executable, "-c", "from imfine.cli import main; main()", "data", "check", uri, "--json"]
    done = subprocess.run(
        command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def rows(file: Path, texts: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def test_the_train_split_is_read_and_nothing_else_is_fetched(hub: Hub, tmp_path: Path) -> None:
    remote = tmp_path / "tales"
    rows(remote / "data/train-0.jsonl", ["Once.", "Twice."])
    rows(remote / "data/train-1.jsonl", ["Thrice."])
    rows(remote / "data/test.jsonl", ["held back"])
    (remote / "README.md").write_text("---\nlicense: mit\n---")
    (remote / "loader.py").write_text("raise SystemExit")
    hub.repos["me/tales"] = remote
    code, told, _ = check("hf://datasets/me/tales", hub, tmp_path / "hf")
    assert code == 0
    assert told["dataset"]["rows"] == 3
    assert told["dataset"]["name"] == "hf://datasets/me/tales"
    assert not [each for each in hub.asked if "loader.py" in each or "test.jsonl" in each]
    fetched = len(hub.asked)
    assert (
        check("hf://datasets/me/tales@main/data/train-1.jsonl", hub, tmp_path / "hf")[1]["dataset"]["rows"]
        == 1
    )
    assert not [each for each in hub.asked[fetched:] if each.startswith("GET /datasets")]  # it was here


def test_pictures_keep_their_folders_and_captions(hub: Hub, tmp_path: Path) -> None:
    remote = tmp_path / "drawings"
    for folder, caption in (("cats", "a cat"), ("dogs", "a dog")):
        (remote / folder).mkdir(parents=True)
        Image.new("RGB", (16, 16), "red").save(remote / folder / "one.png")
        (remote / folder / "one.txt").write_text(caption)
    hub.repos["me/drawings"] = remote
    code, told, _ = check("hf://datasets/me/drawings", hub, tmp_path / "hf")
    assert code == 0
    assert told["dataset"]["kind"] == "image"
    assert told["dataset"]["rows"] == 2
    assert not [each for each in told["dataset"]["findings"] if each["code"] != "duplicates"]


@pytest.mark.parametrize(
    ("uri", "code", "says"),
    [
        ("hf://datasets/me/nothing", "not_found", "no data set me/nothing"),
        ("hf://datasets/me/tales@v9", "not_found", "no revision v9"),
        ("hf://me/tales", "invalid", "hf://datasets/owner/name"),
        ("hf://datasets/me/../etc", "invalid", "hf://datasets/owner/name"),
        ("hf://datasets/me/shut", "model_gated", "accept"),
    ],
)
def test_what_cannot_be_had_is_told_apart(hub: Hub, tmp_path: Path, uri: str, code: str, says: str) -> None:
    for name in ("tales", "shut"):
        rows(tmp_path / name / "train.jsonl", ["Once."])
        hub.repos[f"me/{name}"] = tmp_path / name
    hub.gated.add("me/shut")
    status, told, _ = check(uri, hub, tmp_path / "hf")
    assert status != 0
    assert told["error"]["code"] == code
    assert says in told["error"]["message"] + told["error"]["remedy"]


def test_without_a_network(hub: Hub, tmp_path: Path) -> None:
    _, told, _ = check("hf://datasets/me/tales", hub, tmp_path / "hf", HF_ENDPOINT="http://127.0.0.1:9")
    assert told["error"]["code"] == "no_network"


def test_one_kind_of_table_is_taken() -> None:
    sizes = {
        "train.csv": 1,
        "data/train-0.parquet": 2,
        "data/test-0.parquet": 3,
        "README.md": 4,
        ".gitattributes": 5,
    }
    assert wanted("me/x", sizes) == {"data/train-0.parquet": 2}
    assert wanted("me/x", {"en/a.json": 1, "ko/a.json": 2, "dataset_infos.json": 3}, "ko") == {"ko/a.json": 2}
    with pytest.raises(DataError, match="no file of data"):
        wanted("me/x", {"model.bin": 1})
