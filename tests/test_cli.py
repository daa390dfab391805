"""The command line as scripts use it: exit codes, one JSON object on stdout, everything else on stderr."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import imfine
from safetensors.numpy import save_file

from imfine.cli.recipes import recipe_from
from imfine.core.families import layout
from imfine.core.models.known import STARTERS
from imfine.errors import RecipeError

LAYOUT = layout(STARTERS[0].config)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["tune", "--help"],
        ["train", "--help"],
        ["adapters", "list"],
        ["models"],
        ["inspect", "smollm2-135m"],
        ["doctor"],
        ["pull", "smollm2-135m"],
    ],
)
def test_quick_verbs_import_neither_torch_nor_the_server(home: Path, words: list[str]) -> None:
    code = (
        "import sys\nfrom imfine.cli import main\ntry:\n    main()\nfinally:\n"
        "    heavy = {'torch', 'transformers', 'fastapi', 'celery', 'numpy'} & sys.modules.keys()\n"
        "    print('HEAVY', sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_importing_imfine_is_light() -> None:
    code = (
        "import sys, imfine; imfine.Recipe, imfine.Sampling; print('torch' in sys.modules); imfine.Equalizer"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_models_as_json(home: Path) -> None:
    said = imfine("models", "--json")
    assert said.code == 0
    first = said.json[0]
    wanted = {"id": "smollm2-135m", "family": "llama", "ready": True, "parameters": 134_515_008}
    assert wanted.items() <= first.items()
    assert first["path"].startswith(str(home))
    assert first["memory_needed"] > 2 * first["parameters"]


def test_models_in_words(home: Path) -> None:
    said = imfine("models")
    assert said.code == 0
    assert said.out.splitlines()[1].split() == ["smollm2-135m", "llama", "135M", "633", "MB", "ready"] or (
        "smollm2-135m" in said.out and "ready" in said.out
    )


def test_pull_of_what_is_here_is_quick_and_says_where(home: Path) -> None:
    said = imfine("pull", "smollm2-135m")
    assert (said.code, said.err) == (0, "")
    assert str(home / "models" / "smollm2-135m") in said.out


def test_inspect(home: Path) -> None:
    said = imfine("inspect", "smollm2-135m")
    assert said.code == 0
    assert "30 × model.layers.N.mlp.up_proj.weight  1536×576  BF16" in said.out
    told = imfine("inspect", "smollm2-135m", "--json").json
    assert told["layout"]["points"] == ["q", "k", "v", "o", "gate", "up", "down", "norm"]
    assert len(told["tensors"]) == 272
    assert told["memory"].keys() == {"float32", "bfloat16"}


SHORT = ["tune", "smollm2-135m", "--prompt", "I want to be a superman.", "--greedy", "--max-new-tokens", "8"]


def test_tune_prints_one_object_and_nothing_else(home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"attn": 1.1, "mlp": 1.5, "points": {"o": 0.8, "q": 0.9}}')
    said = imfine(
        *SHORT, "--json", "--recipe", str(recipe), "--mlp", "1.2",
        "--band", "attn:0-1=0.5",
        "--band", "attn:3=1.5", "--point", "q=1.1", "--point", "4.o.h3=0", "--seed", "7",
        "--dtype", "float32", fresh=True,
    )  # fmt: skip
    assert said.code == 0, said.err
    told = said.json
    assert (told["model"], told["revision"], told["dtype"], told["seed"]) == (
        "smollm2-135m",
        "0.1.2",
        "float32",
        7,
    )
    assert told["recipe"] == {
        "attn": 1.1,
        "mlp": 1.2,
        "bands": {"attn": [0.5, 0.5, 1.0, 1.5] + [1.0] * 26},
        "points": {"o": 0.8, "q": 1.1, "4.o.h3": 0.0},
    }
    assert [lane["name"] for lane in told["lanes"]] == ["base", "tuned"]
    for lane in told["lanes"]:
        assert len(lane["token_ids"]) == 8
        assert lane["text"]
        assert "first_change" in lane["metrics"]
    assert told["manifest"]["total"] == 272
    assert told["manifest"]["touched"] > 0
    assert told["timing"]


def test_tune_in_words_says_both_answers_and_what_the_move_did(home: Path) -> None:
    said = imfine(*SHORT)
    assert said.code == 0, said.err
    assert said.out.index("── original ──") < said.out.index("── tuned ──")
    assert "no token changed; adjusts 0 of 272 tensors" in said.out
    assert "Loading 269 MB" in said.err


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--attn", "nan"], "recipe.attn"),
        (["--attn", "inf"], "recipe.attn"),
        (["--attn", "4.1"], "recipe.attn"),
        (["--band", "attn:30=1.5"], "recipe.bands.attn"),
        (["--band", "norm:3=1.5"], "recipe.bands.norm"),
        (["--band", "attn=1.5"], "recipe.bands"),
        (["--point", "x=1"], "recipe.points.x"),
        (["--point", "4.o.h9=1"], "recipe.points.4.o.h9"),
        (["--point", "o"], "recipe.points"),
        (["--recipe", "/nonexistent"], "recipe"),
        (["--temperature", "1"], "sampling.temperature"),
        (["--top-p", "2"], "sampling.top_p"),
        (["--seed", "-1"], "sampling.seed"),
        (["--max-new-tokens", "0"], "sampling.max_new_tokens"),
        (["--dtype", "int8"], "dtype"),
        (["--prompt", ""], "prompt"),
        (["--tone", "0.5"], "recipe.tone"),
        (["--style", "0"], "recipe.style"),
        (["--negative", ""], "image.negative"),
        (["--steps", "20"], "image.steps"),
        (["--guidance", "3"], "image.guidance"),
        (["--scheduler", "ddim"], "image.scheduler"),
        (["--size", "64x64"], "image.size"),
        (["--count", "2"], "image.count"),
        (["--out", "."], "out"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2_and_the_field(home: Path, words: list[str], field: str) -> None:
    said = imfine(*SHORT, "--json", *words)
    assert said.code == 2, said.err
    error = said.json["error"]
    assert error["field"] == field
    assert error["remedy"]
    assert "Traceback" not in said.err
    assert error["message"] in said.err


def test_usage_errors_and_unknown_models_end_with_2_no_network_with_1(home: Path) -> None:
    assert imfine("tune", "smollm2-135m").code == 2
    assert imfine("nosuch").code == 2
    assert imfine("inspect", "nosuch").code == 2
    away = imfine("inspect", "a/b", "--json", HF_ENDPOINT="http://127.0.0.1:9")
    assert (away.code, away.json["error"]["code"]) == (1, "no_network")


def test_a_korean_prompt_is_told_that_the_starter_speaks_english(home: Path) -> None:
    said = imfine("tune", "smollm2-135m", "--prompt", "안녕", "--max-new-tokens", "1")
    assert said.code == 0, said.err
    assert said.err.count("Qwen/Qwen2.5-0.5B-Instruct") == 1


def test_doctor_is_well_here_and_names_what_is_not(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ill = imfine(
            "doctor", "--json", IMFINE_PORT=port, IMFINE_DATABASE_URL="mysql+pymysql://root@127.0.0.1:9/x",
            IMFINE_BROKER_URL="amqp://guest:guest@127.0.0.1:9//",
        )  # fmt: skip
    assert ill.code == 1
    states = {finding["subject"]: finding for finding in ill.json}
    assert {name for name, finding in states.items() if finding["state"] == "fail"} == {
        "port",
        "database",
        "broker",
    }
    assert all(finding["remedy"] for finding in ill.json if finding["state"] != "ok")
    assert "guest:guest" not in ill.out
    well = imfine("doctor", IMFINE_PORT=port)
    assert well.code == 0, well.out


def test_bands_and_points_override_the_files_parts_only_where_they_are_named() -> None:
    asked = recipe_from(
        None, {"eps": None, "attn": 1.2, "mlp": None}, ["mlp:2-4=0.5", "mlp:3=1"], ["o=0.8"], [], LAYOUT
    )
    assert asked.to_json() == {
        "attn": 1.2,
        "bands": {"mlp": [1.0, 1.0, 0.5, 1.0, 0.5] + [1.0] * 25},
        "points": {"o": 0.8},
    }


@pytest.mark.parametrize(
    "band", ["attn:5-3=1", "attn:-1=1", "attn:0=x", "attn:99999999=1", ":=", "attn:1=nan"]
)
def test_malformed_bands_are_told(band: str) -> None:
    with pytest.raises(RecipeError):
        recipe_from(None, {}, [band], [], [], LAYOUT)


def test_deltas_by_name_and_band() -> None:
    given = ["mine=0.5", "a b:attn:0-1=0", "mine:mlp:29=2"]
    assert recipe_from(None, {}, [], [], given, LAYOUT).to_json() == {
        "deltas": {
            "a b": {"bands": {"attn": [0.0, 0.0] + [1.0] * 28}, "strength": 1.0},
            "mine": {"bands": {"mlp": [1.0] * 29 + [2.0]}, "strength": 0.5},
        }
    }
    for wrong in ("mine", "=1", "mine=x", "mine:eps:0=1", "mine:attn:99=1", "mine=3"):
        with pytest.raises(RecipeError):
            recipe_from(None, {}, [], [], [wrong], LAYOUT)


def test_an_adapter_is_added_turned_listed_and_removed(home: Path, tmp_path: Path) -> None:
    key = "base_model.model.model.layers.{}.mlp.down_proj.lora_{}.weight"
    dice = np.random.default_rng(0)
    shapes = {"A": (2, 1536), "B": (576, 2)}
    tensors = {
        key.format(i, side): dice.normal(0, 0.5, shape).astype(np.float32)
        for i in range(30)
        for side, shape in shapes.items()
    }
    save_file(tensors, tmp_path / "rough.safetensors")
    said = imfine("adapters", "add", str(tmp_path / "rough.safetensors"), "--model", "smollm2-135m")
    assert said.code == 0, said.err
    assert "rough changes 30 tensors of smollm2-135m (lora" in said.out
    ask = ("tune", "smollm2-135m", "--prompt", "Hi", "--greedy", "--max-new-tokens", "4", "--json")
    told = imfine(*ask, "--delta", "rough=1.5").json
    assert told["recipe"] == {"deltas": {"rough": 1.5}}
    assert told["manifest"]["touched"] == 30
    assert told["lanes"][0]["text"] != told["lanes"][1]["text"]
    unknown = imfine(*ask, "--delta", "smooth=1")
    assert unknown.code == 2
    assert "its deltas are rough" in unknown.err
    assert imfine("adapters", "list", "--json").json[0]["delta"]["parts"] == ["mlp"]
    assert imfine("adapters", "remove", "rough").code == 0
    assert imfine("adapters", "list").out == ""
    assert imfine("adapters", "remove", "rough").code == 1


# ---------------------------------------------------------------- data check


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


PAIRS = [{"question": "1+1?", "answer": "2"}, {"question": "Who?", "answer": "Me"}] * 2


def test_data_check_tells_format_rows_tokens_and_shows_what_is_trained(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "d.jsonl", *PAIRS)
    said = imfine("data", "check", file, "--model", "smollm2-135m", "--json")
    assert said.code == 0
    dataset, tokens = said.json["dataset"], said.json["tokens"]
    assert (dataset["format"], dataset["rows"]) == ("prompt_completion", 4)
    assert dataset["columns"] == {"prompt": "question", "completion": "answer"}
    assert dataset["findings"][0]["lines"] == [3, 4]
    assert (tokens["rows"], tokens["trained"], tokens["length"]) == (4, 8, 8192)
    shown = [
        "".join(piece["text"] for piece in row["pieces"] if piece["trained"]) for row in said.json["preview"]
    ]
    assert shown == ["2<|im_end|>", "Me<|im_end|>", "2<|im_end|>"]
    plain = imfine("data", "check", file, "--model", "smollm2-135m", "--length", "36")
    assert plain.code == 0
    assert "rows cut at 36 tokens: 2 of 4 (line 1, 3)" in plain.out
    assert "⟦Me<|im_end|>⟧" in plain.out
    assert not (home / "datasets").exists()


def test_data_check_brings_no_torch(home: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom imfine.cli import main\ntry:\n    main()\nfinally:\n"
        "    print('HEAVY', sorted({'torch', 'transformers', 'fastapi', 'celery'} & sys.modules.keys()))\n"
    )
    words = ["data", "check", write(tmp_path / "d.jsonl", *PAIRS), "--model", "smollm2-135m"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ('{"text":"a"}\noops\n', [], "line 2: expected a JSON object"),
        ("", [], "nothing to train on"),
        (
            "a,b\n1,2\n",
            ["--columns", "prompt=a,completion=b", "--model", "smollm2-135m", "--length", "5"],
            "no token",
        ),
    ],
)
def test_data_check_ends_with_1_where_nothing_can_be_trained_on(
    home: Path, tmp_path: Path, content: str, words: list[str], told: str
) -> None:
    file = tmp_path / "d"
    file.write_text(content)
    if "a,b" in content:
        file = file.rename(tmp_path / "d.csv")
    said = imfine("data", "check", str(file), *words)
    assert (said.code, told in said.err) == (1, True), said
    as_json = imfine("data", "check", str(file), *words, "--json")
    assert (as_json.code, as_json.json["trainable"]) == (1, False)


@pytest.mark.parametrize(
    "words", [["none.txt"], ["{file}", "--columns", "x"], ["{file}", "--columns", "prompt=no"]]
)
def test_data_check_ends_with_2_where_the_request_is_at_fault(
    home: Path, tmp_path: Path, words: list[str]
) -> None:
    file = write(tmp_path / "d.jsonl", *PAIRS)
    said = imfine("data", "check", *(word.format(file=file) for word in words))
    assert said.code == 2
    assert "→" in said.err


def test_data_check_of_pictures(home: Path, tmp_path: Path) -> None:
    from PIL import Image

    for i in range(3):
        Image.new("RGB", (8 + i, 8)).save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.txt").write_text(f"a square {i}")
    (tmp_path / "no.png").write_text("a text")
    said = imfine("data", "check", str(tmp_path))
    assert said.code == 0
    for words in ("pictures  3", "8 × 8 to 10 × 8", "no.png: not a PNG", "⟦a square 0⟧"):
        assert words in said.out
    said = imfine("data", "check", str(tmp_path), "--model", "smollm2-135m")
    assert (said.code, "learns from text" in said.err) == (1, True)
