"""`imfine train` as scripts use it: a line of JSON for each event, a model at the end, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import imfine

import imfine as package
from imfine.cli.train import _layers
from imfine.core.models.catalog import find
from imfine.errors import Conflict, Invalid
from imfine.settings import settings

DATA = ["--data", str(Path(__file__).parent.parent / "starters" / "gpt2-classics" / "heldout.txt")]
QUICK = ["--batch", "1", "--length", "32", "--dtype", "float32"]


@pytest.mark.slow
def test_a_model_is_trained_kept_and_found(home: Path) -> None:
    words = [
        "train",
        "gpt2-classics",
        *DATA,
        *QUICK,
        "--name",
        "mine",
        "--parts",
        "attn",
        "--layers",
        "0-1,5",
    ]
    said = imfine(*words, "--rank", "2", "--steps", "3", "--sample", "To be", "--json", fresh=True)
    assert said.code == 0, said.err
    events = [json.loads(line) for line in said.out.splitlines()]
    assert [event["step"] for event in events if event["type"] == "train_step"] == [1, 2, 3]
    end = events[-1]
    assert end["type"] == "train_result"
    assert end["tensors"] == 3 * 2 * 2  # c_attn and c_proj of three layers, two matrices each
    assert Path(end["adapter"], "adapter_model.safetensors").exists()
    card = find("mine", settings(), any_folder=False)
    assert (card.source, card.ready, card.family) == ("made", True, "gpt")
    assert card.licence == find("gpt2-classics", settings(), any_folder=False).licence
    again = imfine(*words, "--json")
    assert again.code == 1
    assert json.loads(again.out.splitlines()[-1])["code"] == "conflict"


@pytest.mark.slow
def test_what_is_odd_about_the_data_is_said_before_it_learns(home: Path, tmp_path: Path) -> None:
    rows = [{"prompt": "바다", "completion": words} for words in ("넓고 푸르다", "", "깊다", "깊다", "깊다")]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--data", str(file), *QUICK, "--steps", "1", "--eval-share", "0.5", "--name", "mine"]
    said = imfine("train", "gpt2-classics", *words)
    assert said.code == 0, said.err
    for told in ("without an answer, left out: 1", "also learned from", "gpt2-classics was made for en"):
        assert told in " ".join(said.err.split())


@pytest.mark.slow
def test_an_estimate_trains_nothing(home: Path) -> None:
    said = imfine("train", "gpt2-classics", *DATA, *QUICK, "--name", "mine", "--estimate", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["memory"]["together"] > 30e6
    assert told["seconds"] > 0
    assert told["steps"] > 1
    assert not (home / "models" / "mine").exists()


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--lr", "10"], "plan.lr"),
        (["--parts", "head"], "plan.parts"),
        (["--layers", "3-1"], "plan.layers"),
        (["--layers", "0-6"], "plan.layers"),
        (["--length", "300"], "plan.length"),
        (["--name", "../up"], "name"),
        (["--name", "smollm2-135m"], "name"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_field(home: Path, words: list[str], field: str) -> None:
    said = imfine("train", "gpt2-classics", *DATA, "--name", "mine", *words, "--json")
    assert said.code == 2
    assert json.loads(said.out)["field"] == field
    assert "→" in said.err


def test_layers_are_numbers_and_ranges() -> None:
    assert _layers("0-3, 7") == [0, 1, 2, 3, 7]
    with pytest.raises(Invalid):
        _layers("a")


@pytest.mark.slow
def test_from_python_and_on_from_there(home: Path) -> None:
    asked = {"batch": 1, "length": 32, "dtype": "float32", "method": "full", "lr": 1e-4}
    run = package.train("gpt2-classics", DATA[1], name="mine", steps=40, save_every=2, **asked)
    for event in run:
        if event.type == "saved":
            break
    run.close()
    with pytest.raises(Conflict, match="not finished"):
        next(package.train("gpt2-classics", DATA[1], name="mine", steps=40, **asked))
    steps = [
        event.step
        for event in package.train("gpt2-classics", DATA[1], name="mine", resume=True, steps=4)
        if event.type == "train_step"
    ]
    assert steps == [3, 4]  # the plan is the one it was begun with, but for what is said anew
    assert find("mine", settings(), any_folder=False).ready
