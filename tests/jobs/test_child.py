"""The process of a run that trains, on its own: as the worker starts it, and starts it again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import forked
from PIL import Image

from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.train.home import Home
from imfine.core.train.plan import Plan
from imfine.jobs import child
from imfine.jobs.training import Drawn, _event, as_json

PLAN = Plan(steps=2, batch=1, length=32, parts=("mlp",), layers=(0,), eval_share=0.0).to_json()


def work(home: Path, attempt: int, run: str = "first", **request: Any) -> list[dict[str, Any]]:
    """What the child says. Its input stays open: it is its leash."""
    [*_, data] = ingest([home / "data" if (home / "data").exists() else home / "data.txt"], home / "datasets")
    assert isinstance(data, Dataset)
    asked = {"model": "gpt2-classics", "revision": None, "name": "mine", "dataset": data.hash, "plan": PLAN}
    job = {"kind": "train", "run": run, "attempt": attempt, "request": {**asked, "resumes": None, **request}}
    with TemporaryDirectory() as folder:
        orders, said = Path(folder) / "orders", Path(folder) / "said"
        os.mkfifo(orders)
        environment = {**os.environ, "IMFINE_HOME": str(home), "OMP_NUM_THREADS": "1"}
        process = forked.run(child.main, ["imfine.jobs.child"], environment, {0: orders, 1: said})
        with orders.open("w") as its_input:
            its_input.write(json.dumps({**job, "folder": ""}) + "\n")
            its_input.flush()
            process.join()
        assert process.exitcode == 0
        return [json.loads(line) for line in said.read_text().splitlines()]


def test_an_attempt_that_died_after_its_model_was_written_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("The old man looked at the sea.\n\n" * 30)
    [*_, made] = work(tmp_path, 1)
    assert (made["type"], made["model"]) == ("train_result", "mine")
    Home(tmp_path / "models" / "mine").folder.mkdir()  # it died before it could tidy up
    assert work(tmp_path, 2) == [made]
    assert not Home(tmp_path / "models" / "mine").folder.exists()
    [*_, refused] = work(tmp_path, 1, run="another")
    assert (refused["type"], refused["code"]) == ("error", "conflict")


def test_a_run_whose_checkpoints_are_gone_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("The old man looked at the sea.\n\n" * 30)
    [refused] = work(tmp_path, 1, resumes="another")
    assert (refused["code"], refused["field"]) == ("conflict", "resumes")


def test_a_picture_model_draws_on_its_way(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        Image.new("RGB", (64, 64), colour).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"{name} square")
    plan = Plan(steps=1, batch=1, rank=1, blocks=("M00",), eval_share=0.5, samples=("red square",)).to_json()
    events = work(tmp_path, 1, model="emoji-diffusion", plan=plan)
    drawn = [event for event in events if event["type"] == "sampled"]
    assert [event["step"] for event in drawn] == [0, 1]
    assert events[-1]["type"] == "train_result", events[-1]
    kept = tmp_path / "models" / "mine"
    for event in drawn:
        assert hashlib.sha256((kept / event["file"]).read_bytes()).hexdigest() == event["sha256"]
    assert (kept / "adapter" / "mine-kohya.safetensors").exists()
    told = _event(drawn[0] | {"png": b"png"})
    assert isinstance(told, Drawn)
    assert as_json(told)["picture"]["url"] == f"/api/artifacts/{drawn[0]['sha256']}.png"
