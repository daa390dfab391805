"""The process of a run that trains, on its own: as the worker starts it, and starts it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.train.home import Home
from imfine.core.train.plan import Plan

PLAN = Plan(steps=2, batch=1, length=32, parts=("mlp",), layers=(0,), eval_share=0.0).to_json()


def work(home: Path, attempt: int, run: str = "first", **request: Any) -> list[dict[str, Any]]:
    """What the child says. Its input stays open: it is its leash."""
    [*_, data] = ingest([home / "data.txt"], home / "datasets")
    assert isinstance(data, Dataset)
    asked = {"model": "gpt2-classics", "revision": None, "name": "mine", "dataset": data.hash, "plan": PLAN}
    job = {"kind": "train", "run": run, "attempt": attempt, "request": {**asked, "resumes": None, **request}}
    child = subprocess.Popen(
        [sys.executable, "-m", "imfine.jobs.child"],
        env={**os.environ, "IMFINE_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({**job, "folder": ""}).encode() + b"\n")
    child.stdin.flush()
    said = child.stdout.read()
    assert child.wait() == 0
    child.stdin.close()
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.timeout(480)  # three starts of torch
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
