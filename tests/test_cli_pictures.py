"""`imfine tune` and `imfine inspect` for pictures, by the starter that ships with the project."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from command import Said, imfine
from PIL import Image

from imfine.core.image import png

STARTER = "emoji-diffusion"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMFINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "home"


def tune(
    *words: str, model: str = STARTER, prompt: str = "a red apple", steps: str = "3", fresh: bool = False
) -> Said:
    return imfine("tune", model, "--prompt", prompt, "--steps", steps, "--seed", "5", *words, fresh=fresh)


def test_two_files_and_where_they_are(tmp_path: Path) -> None:
    said = tune("--tone", "0.6", "--out", str(tmp_path / "new" / "folder"))
    assert said.code == 0, said.err
    folder = tmp_path / "new" / "folder"
    assert sorted(file.name for file in folder.iterdir()) == ["base.png", "tuned.png"]
    assert said.out.splitlines()[0].split() == ["original", str(folder / "base.png")]
    assert f"tuned     {folder / 'tuned.png'}  differs by " in said.out
    assert "adjusts" in said.out
    assert "Painting" in said.err
    says = png.read((folder / "tuned.png").read_bytes())
    assert (says["recipe"], says["seed"], says["lane"]) == ({"tone": 0.6}, 5, "tuned")


def test_one_object_that_names_every_file(tmp_path: Path) -> None:
    said = tune(
        "--json", "--count", "2", "--size", "64x48", "--guidance", "2.5", "--scheduler", "ddim",
        "--negative", "blue", "--style", "0.5", "--band", "attn:OUT00-OUT02=0.8", "--band", "attn:M00=1.3",
        "--dtype", "float32", "--out", str(tmp_path), fresh=True,
    )  # fmt: skip
    assert said.code == 0, said.err
    told = said.json
    assert [told["model"], told["seed"], told["dtype"]] == [STARTER, 5, "float32"]
    asked = {"negative": "blue", "steps": 3, "guidance": 2.5, "scheduler": "ddim", "count": 2}
    assert told["image"].items() >= (asked | {"width": 64, "height": 48, "seed": 5}).items()
    band = told["recipe"]["bands"]["attn"]
    assert [value for value in band if value != 1] == [1.3, 0.8, 0.8, 0.8]
    assert told["recipe"]["style"] == 0.5
    assert [lane["name"] for lane in told["lanes"]] == ["base", "tuned"]
    for lane in told["lanes"]:
        assert lane["file"] == str(tmp_path / f"{lane['name']}-1.png")
        assert [each["seed"] for each in lane["pictures"]] == [5, 6]
        assert lane["sha256"] == lane["pictures"][0]["sha256"]
        for picture, measures in zip(lane["pictures"], lane["metrics"]["pictures"], strict=True):
            data = Path(picture["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == picture["sha256"]
            assert Image.open(picture["file"]).size == (64, 48)
            assert (measures["ssim"] is None) == (lane["name"] == "base")
    assert told["manifest"]["touched"] > 0
    assert told["checksum"]["verified"]
    names = sorted(file.name for file in tmp_path.glob("*.png"))
    assert names == ["base-1.png", "base-2.png", "tuned-1.png", "tuned-2.png"]


def test_a_neutral_recipe_changes_no_pixel_and_a_prompt_in_emoji_is_painted(tmp_path: Path) -> None:
    said = tune("--out", str(tmp_path), prompt="🍎👩‍🚀")
    assert said.code == 0, said.err
    assert "no pixel changed" in said.out
    assert (tmp_path / "base.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "field", "remedy"),
    [
        (["--size", "65x64"], "image.width", "64 or"),
        (["--size", "64"], "image.size", "64x64"),
        (["--size", "0x64"], "image.width", "from 1"),
        (["--steps", "10000"], "image.steps", "from 1 to 150"),
        (["--guidance", "nan"], "image.guidance", "from 0 to 30"),
        (["--scheduler", "ddpm"], "image.scheduler", "euler_a"),
        (["--count", "9"], "image.count", "from 1 to 8"),
        (["--tone", "2"], "recipe.tone", "-1 to 1"),
        (["--style", "inf"], "recipe.style", "-1 to 1"),
        (["--band", "attn:OUT99=1.3"], "recipe.bands.attn", "M00"),
        (["--band", "attn:4=1.3"], "recipe.bands.attn", "OUT00"),
        (["--band", "attn:OUT02-IN01=1.3"], "recipe.bands.attn", "attn:IN01-OUT02"),
        (["--band", "tone:M00=0.5"], "recipe.bands.tone", "attn"),
        (["--greedy"], "sampling.greedy", "--greedy"),
        (["--temperature", "0.5"], "sampling.temperature", "--temperature"),
        (["--max-new-tokens", "5"], "sampling.max_new_tokens", "--max-new-tokens"),
        (["--raw"], "sampling.raw", "--raw"),
        (["--out", "/dev/null/pictures"], "out", "--out"),
        (["--prompt", ""], "prompt", "--prompt"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_and_the_field(words: list[str], field: str, remedy: str) -> None:
    said = tune("--json", *words)
    assert said.code == 2, said.err
    error = said.json["error"]
    assert error["field"] == field
    assert remedy in error["remedy"]
    assert "Traceback" not in said.err
    assert error["message"] in said.err


def test_inspect(home: Path) -> None:
    said = imfine("inspect", STARTER)
    assert said.code == 0, said.err
    assert "bands         IN00" in said.out
    assert "knobs         eps attn mlp tone style" in said.out
    told: dict[str, Any] = imfine("inspect", STARTER, "--json").json
    assert told["layout"]["kind"] == "image"
    assert told["layout"]["band_names"][0] == "IN00"
    assert told["tensors"]


def test_what_a_knob_would_take_is_told_without_learning_it(home: Path) -> None:
    said = imfine(
        "learn", STARTER, "--plus", "red", "--minus", "blue", "--name", "redness",
        "--steps", "50", "--count", "1", "--batch", "1", "--estimate", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    told = said.json
    assert (told["type"], told["steps"], told["rows"]) == ("estimate", 50, 1)
    assert told["seconds"] > 50 * told["step_s"] > 0
    assert told["memory"]["together"] > told["memory"]["weights"] > 0
    assert "Measuring" in said.err
    assert not (home / "adapters").exists()
