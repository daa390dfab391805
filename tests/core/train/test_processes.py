"""Two processes, each with the whole model, learn what one with twice the accumulation does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bits import QLORA
from training import curve, run, source

from imfine.core.models.known import SHIPPED

pytestmark = pytest.mark.usefixtures("one_thread")

SCRIPT = """
import sys
sys.path[:0] = {paths!r}
import imfine.core
from pathlib import Path
from training import Source, plan, sentences
from imfine.core.train.loop import train
from accelerate import PartialState
asked = dict(steps=8, accumulation=2, eval_every=4, save_every=3, lr=3e-3)
asked = plan(samples=("sea",), sample_tokens=4, **asked)
count = 0
for event in train(Source(Path({model!r})), sentences(), asked, Path({out!r})):
    count += 1
state = PartialState()
who = f"process {{state.process_index}} of {{state.num_processes}} on {{state.backend}}"
print(who, "told", count, flush=True)
state.destroy_process_group()
"""


ROOT = Path(__file__).parents[3]
COMMAND = "from imfine.cli import main\nmain()\n"


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_accumulation(tmp_path):
    model, here = source(tmp_path / "m"), Path(__file__).parent
    script = tmp_path / "script.py"
    paths = [str(here.parent), str(here.parents[2])]
    places = {"model": str(model.path), "out": str(tmp_path / "two")}
    script.write_text(SCRIPT.format(paths=paths, **places))
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*launch, str(script)], env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "process 1 of 2 on gloo told 0" in done.stdout
    asked = {
        "steps": 8,
        "eval_every": 4,
        "save_every": 3,
        "lr": 3e-3,
        "samples": ("sea",),
        "sample_tokens": 4,
    }
    run(model, tmp_path / "one", accumulation=4, **asked)
    two, one = curve(tmp_path / "two"), curve(tmp_path / "one")
    assert len(two) == len(one)
    for ours, theirs in zip(two, one, strict=True):
        for (name, a), (_, b) in zip(ours, theirs, strict=True):
            assert a == (pytest.approx(b, rel=1e-4) if isinstance(b, float) else b), name


@pytest.mark.slow
@pytest.mark.parametrize("method", [QLORA])
def test_the_command_is_launched_by_the_configuration_that_is_shown(method, tmp_path):
    (tmp_path / "imfine").write_text(COMMAND)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
    launch += ["--config_file", str(ROOT / "examples" / "gpus.yaml"), str(tmp_path / "imfine")]
    asked = ["train", "gpt2-classics", "--data", str(SHIPPED / "gpt2-classics" / "heldout.txt")]
    asked += ["--name", "two", "--method", method, "--steps", "2", "--batch", "1", "--length", "32"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "IMFINE_HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [*launch, *asked, "--dtype", "float32"],
        env=environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("two is trained: 2 steps") == 1
    facts = json.loads((tmp_path / "home" / "models" / "two" / "imfine-train.json").read_text())
    assert facts["plan"]["method"] == method
