"""Two processes that hold a part of the model each (FSDP) learn what one with twice the accumulation does,
and leave the same files: what one began the other goes on with.

They are launched once and make all runs that are asked of them; each test looks at its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import DistributedType
from peft import PeftModel
from safetensors.torch import load_file
from training import Source, curve, run, source
from transformers import AutoModelForCausalLM

from imfine.core.models.known import SHIPPED
from imfine.core.models.local import read_local
from imfine.core.train.plan import Plan
from imfine.core.train.sharding import check_launch, check_splittable
from imfine.errors import SetupError

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(320)]  # two cores may be busy

ROOT = Path(__file__).parents[3]
CONFIGURATION = ROOT / "examples" / "gpus-fsdp.yaml"
SCRIPT = """
import json, sys
sys.path[:0] = {paths!r}
import imfine.core, torch
torch.set_num_threads(1)
from pathlib import Path
from accelerate import PartialState
from training import Source, plan, sentences
from imfine.core.train.learner import open_learner
from imfine.core.train.loop import train
from imfine.core.train.sharding import split

def made(model, out, asked, pause, resume):
    asks = iter(range(1000))
    stop = lambda: "pause" if next(asks) == pause else "go"
    asked = plan(**{{**asked, "samples": tuple(asked["samples"])}})
    return sum(1 for _ in train(Source(Path(model)), sentences(), asked, Path(out), resume=resume, stop=stop))

runs = json.loads(Path({runs!r}).read_text())
told = sum(made(*each) for each in runs)
*_, learner = open_learner(Source(Path(runs[0][0])), plan(), torch.device("cpu"))
whole = sum(p.nbytes for p in learner.parameters())
split(learner, torch.device("cpu"))
held = sum(p.to_local().nbytes for p in learner.parameters()) / whole
state = PartialState()
print("process", state.process_index, f"told {{told}} events, holds {{held:.2f}} of the model", flush=True)
state.destroy_process_group()
"""
ASKED: dict[str, Any] = {
    "steps": 4,
    "eval_every": 4,
    "save_every": 2,
    "lr": 3e-3,
    "samples": ("sea",),
    "sample_tokens": 4,
}
BRIEF = {"dtype": "bfloat16", "steps": 2, "eval_share": 0.0, "samples": ()}  # processors are slow in it
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("llama", {"ema": 0.9, "eval_share": 0.05}),  # 1 held-out batch for 2 processes
    "lora": ("gpt2", {"method": "lora", "rank": 3, "checkpointing": True}),  # 3 rows for 2 processes
    "dora": ("llama", {"method": "dora", "rank": 1, **BRIEF}),  # 1 row for 2 processes; two dtypes in a layer
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with two models, and what two processes made of them, each with a part."""
    tmp = tmp_path_factory.mktemp("sharding")
    source(tmp / "llama")
    source(tmp / "gpt2", "GPT2LMHeadModel", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    asks = iter(range(1000))
    one = {**ASKED, **RUNS["full"][1], "accumulation": 2}
    run(Source(tmp / "llama"), tmp / "taken over", stop=lambda: "pause" if next(asks) == 6 else "go", **one)
    assert not (tmp / "taken over").exists()

    def asked(out: str, of: str = "full", *, pause: int = -1, resume: bool = False) -> Sequence[Any]:
        model, changes = RUNS[of]
        return str(tmp / model), str(tmp / out), {**ASKED, "accumulation": 1, **changes}, pause, resume

    launched(
        tmp,
        [
            *(asked(name, name) for name in RUNS),
            asked("cut", pause=3),
            asked("cut", resume=True),
            asked("handed on", pause=3),
            asked("taken over", resume=True),
        ],
    )
    return tmp


def launched(tmp: Path, runs: Sequence[Any]) -> None:
    (tmp / "runs.json").write_text(json.dumps(runs))
    script, paths = tmp / "script.py", [str(ROOT / "tests" / "core"), str(ROOT)]
    script.write_text(SCRIPT.format(paths=paths, runs=str(tmp / "runs.json")))
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
    launch += ["--config_file", str(CONFIGURATION), str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "process 1 told 0 events, holds 0.5" in done.stdout
    assert [each.name for each in tmp.glob(".*.train")] == [".handed on.train"]


def assert_alike(a: Path, b: Path, rel: float = 1e-4) -> None:
    """Curves and weights."""
    ours, theirs = curve(a), curve(b)
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs, strict=True):
        for (name, x), (_, y) in zip(one, two, strict=True):
            assert x == (pytest.approx(y, rel=rel) if isinstance(y, float) else y), name
    left, right = (load_file(each / "model.safetensors") for each in (a, b))
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        torch.testing.assert_close(tensor, right[name], rtol=rel, atol=rel)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_are_one_with_twice_the_accumulation(made, name, tmp_path):
    model, changes = RUNS[name]
    run(Source(made / model), tmp_path / "one", **{**ASKED, "accumulation": 2, **changes})
    assert_alike(made / name, tmp_path / "one", 1e-2 if "dtype" in changes else 1e-4)


@pytest.mark.slow
def test_a_run_that_is_paused_and_resumed_is_the_run_that_was_not(made):
    files = [(made / name / "model.safetensors").read_bytes() for name in ("full", "cut")]
    assert files[0] == files[1]
    assert curve(made / "full") == curve(made / "cut")


@pytest.mark.slow
def test_one_process_goes_on_with_what_two_began_and_they_with_what_one_began(made):
    run(Source(made / "llama"), made / "handed on", resume=True, **ASKED, accumulation=2, **RUNS["full"][1])
    assert_alike(made / "handed on", made / "full")
    assert_alike(made / "taken over", made / "full")


@pytest.mark.slow
def test_peft_reads_the_adapter(made):
    ids = torch.arange(1, 9)[None]
    base = AutoModelForCausalLM.from_pretrained(made / "gpt2")
    ours = AutoModelForCausalLM.from_pretrained(made / "lora")(ids).logits
    assert not torch.allclose(base(ids).logits, ours, atol=1e-4)
    peft = PeftModel.from_pretrained(base, made / "lora" / "adapter").eval()
    torch.testing.assert_close(peft(ids).logits, ours, rtol=1e-4, atol=1e-4)


@pytest.fixture
def launched_with_fsdp(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_launch_that_is_not_built_in_is_refused(launched_with_fsdp):
    check_launch(DistributedType.FSDP)
    for name, value, what in (("FSDP_VERSION", "1", "version 1"), ("FSDP_OFFLOAD_PARAMS", "true", "offload")):
        with launched_with_fsdp.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(SetupError, match=what) as refused:
                check_launch(DistributedType.FSDP)
            assert "gpus-fsdp.yaml" in refused.value.remedy
    with pytest.raises(SetupError, match="DEEPSPEED"):
        check_launch(DistributedType.DEEPSPEED)


@pytest.mark.parametrize(
    ("model", "method", "what"),
    [("gpt2-classics", "qlora", "qlora"), ("emoji-diffusion", "lora", "pictures")],
)
def test_what_is_not_split_is_refused(model, method, what, launched_with_fsdp):
    layout = read_local(SHIPPED / model).layout
    with pytest.raises(SetupError, match=what) as refused:
        check_splittable(layout, Plan(method=method))
    assert "MULTI_GPU" in refused.value.remedy
    launched_with_fsdp.setenv("WORLD_SIZE", "1")  # there is nothing to split it over
    check_splittable(layout, Plan(method=method))
