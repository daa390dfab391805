"""A run learns, counts, evaluates, stops as it is told, and goes on bit for bit where it was."""

from __future__ import annotations

import json
import math
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import pytest
import torch
from bits import QLORA
from safetensors.torch import load_file
from training import Rows, Source, curve, losses, plan, result, run, sentences, source, tell_steps

from imfine.core.data.rows import Text
from imfine.core.models.known import SHIPPED
from imfine.core.train.events import Evaluated, Sampled, Saved, TrainStep
from imfine.core.train.loop import train
from imfine.errors import Conflict, Invalid, OutOfMemory, TrainingDiverged

pytestmark = pytest.mark.usefixtures("one_thread")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(a: Path, b: Path) -> bool:
    return (a / "model.safetensors").read_bytes() == (b / "model.safetensors").read_bytes()


def test_a_run_learns_and_tells_what_it_does(tmp_path):
    asked = {
        "steps": 30,
        "lr": 3e-3,
        "eval_every": 15,
        "save_every": 10,
        "samples": ("sea",),
        "sample_tokens": 5,
    }
    events = run(source(tmp_path / "m"), tmp_path / "out", **asked)
    steps = [event for event in events if isinstance(event, TrainStep)]
    assert [event.step for event in steps] == list(range(1, 31))
    assert losses(events)[-1] < 0.7 * losses(events)[0]
    assert all(event.lr <= 3e-3 and event.grad_norm > 0 and event.tokens_per_s > 0 for event in steps)
    assert steps[-1].eta_s == 0
    assert [event.step for event in events if isinstance(event, Evaluated)] == [0, 15, 30]
    assert [(event.step, event.prompt) for event in events if isinstance(event, Sampled)] == [
        (0, "sea"), (15, "sea"), (30, "sea"),
    ]  # fmt: skip
    assert [(event.step, event.kept) for event in events if isinstance(event, Saved)] == [
        (10, [10]), (20, [10, 20]), (30, [20, 30]),
    ]  # fmt: skip
    end = result(events)
    assert end.loss_after < end.loss_before
    assert end.perplexity_after == pytest.approx(math.exp(end.loss_after))
    assert (end.reason, end.steps, end.best_step) == ("steps", 30, 30)
    assert end.tokens == steps[-1].tokens
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")) == ["m", "out"]


@pytest.mark.parametrize("changes", [{"batch": 4}, {"accumulation": 2}, {"checkpointing": True, "batch": 4}])
def test_a_step_is_the_same_however_it_is_cut(changes, tmp_path):
    """2 × 2 sequences one after the other, 4 at once, 4 × 1, and with activations made twice."""
    model = source(tmp_path / "m")
    base = run(model, tmp_path / "a", batch=1, accumulation=4)
    other = run(model, tmp_path / "b", **{"batch": 2, "accumulation": 1, **changes})
    assert losses(other) == pytest.approx(losses(base), rel=1e-5)


def test_packed_and_unpacked_learn_the_same_from_the_same_step(tmp_path):
    """One step over all rows: its loss is a mean over tokens, however they are packed."""
    model, data = source(tmp_path / "m"), sentences(12)
    asked = {"steps": 1, "eval_share": 0.0, "data": data}
    packed = run(model, tmp_path / "a", packing=True, batch=4, length=128, **asked)
    alone = run(model, tmp_path / "b", packing=False, batch=12, length=128, **asked)
    tokens = [next(e.tokens for e in events if isinstance(e, TrainStep)) for events in (packed, alone)]
    if tokens[0] == tokens[1]:
        assert losses(packed) == pytest.approx(losses(alone), rel=1e-5)
    assert tokens[1] <= tokens[0]


@pytest.mark.parametrize("method", ["full", "lora", "dora", QLORA])
def test_a_run_that_is_paused_and_resumed_is_the_run_that_was_not(method, tmp_path):
    model = source(tmp_path / "m", attention_dropout=0.1)
    asked = {
        "method": method,
        "dropout": 0.1,
        "rank": 4,
        "steps": 12,
        "save_every": 5,
        "eval_every": 4,
        "lr": 5e-3,
    }
    run(model, tmp_path / "whole", **asked)
    seen = []

    def stop() -> str:
        seen.append(1)
        return "pause" if len(seen) > 9 else "go"

    cut = run(model, tmp_path / "cut", stop=stop, **asked)
    assert isinstance(cut[-1], Saved)
    assert not (tmp_path / "cut").exists()
    assert 0 < cut[-1].step < 12
    resumed = run(model, tmp_path / "cut", resume=True, **asked)
    assert losses(resumed)
    assert len(losses(resumed)) == 12 - cut[-1].step
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert curve(tmp_path / "whole") == curve(tmp_path / "cut")
    assert result(resumed).loss_before is not None


def test_kill_9_loses_nothing_but_time(tmp_path):
    model = source(tmp_path / "m")
    asked = {"steps": 26, "save_every": 4, "eval_every": 6, "lr": 3e-3}
    told, pipe = forked.server().Pipe(duplex=False)

    def started(hangs_at: int | None) -> BaseProcess:
        process = forked.server().Process(
            target=tell_steps, args=(pipe, model, tmp_path / "killed", hangs_at), kwargs=asked
        )
        process.start()
        return process

    first = started(hangs_at=24)
    while told.recv() != 23:
        pass
    time.sleep(0.02)
    first.kill()
    first.join()
    assert not (tmp_path / "killed").exists()
    while told.poll():
        told.recv()
    again = started(hangs_at=None)
    assert told.recv() in (21, 25)  # right after a checkpoint: every 4 steps
    again.join()
    assert again.exitcode == 0
    run(model, tmp_path / "whole", **asked)
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert curve(tmp_path / "whole") == curve(tmp_path / "killed")


def paused(model, out: Path, after: int, **asked) -> None:
    steps = iter(range(10**6))
    run(model, out, stop=lambda: "pause" if next(steps) >= after else "go", **asked)


def test_a_broken_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    model, asked = source(tmp_path / "m"), {"steps": 9, "save_every": 2, "eval_every": 100, "eval_share": 0.0}
    run(model, tmp_path / "whole", **asked)
    paused(model, tmp_path / "cut", 9, **asked)
    home = tmp_path / ".cut.train"
    newest = sorted(home.glob("step-*"))[-1]
    file = newest / "optimizer.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 1
    file.write_bytes(raw)
    (home / ".step-00000099.1.part").mkdir()  # a kill in the middle of writing
    events = run(model, tmp_path / "cut", resume=True, **asked)
    notice = next(event for event in events if event.type == "notice" and event.code != "rows_full")
    assert notice.code == "checkpoint_passed_over"
    assert notice.params["broken"] == [int(newest.name[5:])]
    assert notice.params["step"] < int(newest.name[5:])
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert curve(tmp_path / "whole") == curve(tmp_path / "cut")


def test_resume_without_a_checkpoint_begins(tmp_path):
    assert len(losses(run(source(tmp_path / "m"), tmp_path / "out", steps=2, resume=True))) == 2


def test_an_unfinished_run_is_not_thrown_away_nor_mixed_with_another(tmp_path):
    model, asked = source(tmp_path / "m"), {"steps": 9, "save_every": 2}
    paused(model, tmp_path / "out", 5, **asked)
    with pytest.raises(Conflict, match="not finished") as refused:
        run(model, tmp_path / "out", **asked)
    assert "resume" in refused.value.remedy
    for field, changes in (("plan.rank", {"method": "full", "rank": 3}), ("plan.batch", {"batch": 3})):
        with pytest.raises(Conflict) as refused:
            run(model, tmp_path / "out", resume=True, **{**asked, **changes})
        assert refused.value.field == field
    with pytest.raises(Conflict) as refused:
        run(model, tmp_path / "out", sentences(seed=4), resume=True, **asked)
    assert refused.value.field == "data"
    assert result(run(model, tmp_path / "out", resume=True, **{**asked, "lr": 1e-4})).steps == 9


def test_two_processes_do_not_train_into_one_place(tmp_path):
    model = source(tmp_path / "m")
    one = train(model, sentences(), plan(), tmp_path / "out")
    next(one)
    with pytest.raises(Conflict, match="another process"):
        run(model, tmp_path / "out")
    one.close()


def test_nothing_is_written_over(tmp_path):
    model = source(tmp_path / "m")
    (tmp_path / "out").mkdir()
    with pytest.raises(Conflict, match="already there"):
        run(model, tmp_path / "out")


def test_save_ends_with_a_result_and_cancel_with_none(tmp_path):
    model = source(tmp_path / "m")
    count = iter(range(100))
    end = result(run(model, tmp_path / "a", steps=50, stop=lambda: "save" if next(count) > 8 else "go"))
    assert end.reason == "stopped"
    assert 0 < end.steps < 50
    assert end.loss_after is not None
    assert weights(tmp_path / "a")
    count = iter(range(100))
    events = run(model, tmp_path / "b", steps=50, stop=lambda: "cancel" if next(count) > 8 else "go")
    assert events[-1].type != "train_result"
    assert not (tmp_path / "b").exists()


def test_early_stopping_keeps_the_best(tmp_path):
    model = source(tmp_path / "m")
    asked = {
        "steps": 300,
        "lr": 2e-2,
        "schedule": "constant",
        "eval_every": 3,
        "save_every": 1000,
        "patience": 2,
    }
    events = run(model, tmp_path / "out", sentences(20), **asked)
    end = result(events)
    found = {event.step: event.loss for event in events if isinstance(event, Evaluated)}
    assert end.reason == "early"
    assert end.steps < 300
    assert end.best_step < end.steps
    assert end.loss_after == min(found.values()) == found[end.best_step]
    again = run(
        source(tmp_path / "again"), tmp_path / "to", sentences(20), **{**asked, "steps": 300, "patience": 2}
    )
    assert result(again).best_step == end.best_step


def test_a_learning_rate_that_breaks_it_stops_with_the_step_and_what_to_change(tmp_path):
    asked = {"steps": 100, "lr": 0.1, "schedule": "constant", "warmup": 0.0, "save_every": 1, "keep": 9}
    events = []
    text = (SHIPPED / "gpt2-classics" / "heldout.txt").read_text()
    data = Rows([Text(text[at : at + 150]) for at in range(0, len(text), 150)])
    asked_of = train(Source(SHIPPED / "gpt2-classics"), data, plan(**asked), tmp_path / "out")
    with pytest.raises(TrainingDiverged) as diverged:
        events.extend(event for event in asked_of)
    assert diverged.value.field == "plan.lr"
    assert diverged.value.params["step"] > 1
    assert "0.01" in diverged.value.remedy
    assert diverged.value.params["saved"] == [event.step for event in events if isinstance(event, Saved)][-1]
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_at_once_and_keeps_the_last_good_state(tmp_path, monkeypatch):
    from imfine.core.train.learner import Learner

    forward, calls = Learner.forward, []

    def broken(self, *batch):
        calls.append(1)
        return forward(self, *batch) * (math.nan if len(calls) > 6 else 1)

    model, asked = source(tmp_path / "m"), {"steps": 9, "save_every": 2, "eval_share": 0.0, "lr": 1e-4}
    run(model, tmp_path / "whole", **asked)
    monkeypatch.setattr(Learner, "forward", broken)
    with pytest.raises(TrainingDiverged, match="step 7") as diverged:
        run(model, tmp_path / "cut", **asked)
    assert diverged.value.params["saved"] == 6
    json.dumps(diverged.value.to_json(), allow_nan=False)
    monkeypatch.undo()
    run(model, tmp_path / "cut", resume=True, **asked)
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_out_of_memory_says_what_would_fit(tmp_path, monkeypatch):
    from imfine.core.train.learner import Learner

    def full(self, *batch):
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        )

    model = source(tmp_path / "m")
    monkeypatch.setattr(Learner, "forward", full)
    with pytest.raises(OutOfMemory) as short:
        run(model, tmp_path / "out", eval_share=0.0, batch=4)
    assert short.value.params["change"] == {"batch": 2, "accumulation": 2}


def test_data_without_anything_to_learn_is_refused(tmp_path):
    with pytest.raises(Invalid, match="none of the 2 rows") as refused:
        run(source(tmp_path / "m"), tmp_path / "out", Rows([Text("a", ends=False)] * 2))
    assert refused.value.field == "data"
    assert not (tmp_path / "out").exists()


def test_bfloat16_learns_too_from_float32_masters(tmp_path):
    model = source(tmp_path / "m")
    events = run(model, tmp_path / "out", steps=30, lr=3e-3, dtype="bfloat16")
    exact = run(model, tmp_path / "exact", steps=30, lr=3e-3)
    assert losses(events) == pytest.approx(losses(exact), rel=0.05)
