"""Data and disks that are not what they should be: told before the first step, and nothing is lost."""

from __future__ import annotations

import errno
import json
import logging
import os

import pytest
import safetensors.torch
from training import Rows, Source, curve, losses, result, run, sentences, source
from transformers.utils import logging as hf_logging

from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.data.rows import Pair, Text
from imfine.core.events import Notice
from imfine.core.models.known import SHIPPED
from imfine.core.train import checkpoint
from imfine.core.train import tokens as tokens_module
from imfine.core.train.events import Evaluated, TrainEvent, TrainStep
from imfine.errors import DataError, Invalid, SetupError

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSICS = Source(SHIPPED / "gpt2-classics", "gpt2-classics")


def notices(events: list[TrainEvent]) -> dict[str, Notice]:
    """By their codes, all of them before the first step."""
    first = next(i for i, event in enumerate(events) if isinstance(event, (TrainStep, Evaluated)))
    assert not any(isinstance(event, Notice) for event in events[first:])
    return {event.code: event for event in events if isinstance(event, Notice)}


def test_clean_data_has_no_notice_and_no_warning(tmp_path, caplog, request):
    """transformers warns of a token that ends a text as if it were padding, once a process."""
    hf_logging.enable_propagation()
    request.addfinalizer(hf_logging.disable_propagation)
    logging.Logger.warning_once.cache_clear()
    texts = [Text(f"the {word} of the sea") for word in ("fish", "boat", "man", "line", "hand", "year")]
    assert notices(run(CLASSICS, tmp_path / "out", Rows(texts), steps=1)) == {}
    assert "attention_mask" not in caplog.text


def test_one_row_is_learned_and_told_to_have_no_measure(tmp_path):
    events = run(source(tmp_path / "m"), tmp_path / "out", Rows([Text("the sea")]), steps=2)
    assert notices(events).keys() == {"nothing_held_out"}
    assert result(events).loss_before is None
    assert result(events).loss_after is None


def test_a_thousand_equal_rows_have_a_held_out_loss_that_means_nothing(tmp_path):
    events = run(source(tmp_path / "m"), tmp_path / "out", Rows([Text("the sea")] * 1000), steps=2)
    assert result(events).loss_after < result(events).loss_before
    told = notices(events)["held_out_repeats"]
    assert told.params == {"repeats": 200, "held_out": 200}
    assert "by heart" in told.message


def test_repeated_rows_are_counted_on_both_sides_of_the_split(tmp_path):
    """Held out are the texts with even numbers and one that is learned from too."""

    class Halves(Rows):
        def split(self, seed, eval_share):
            return [1, 3, 4], [0, 2, 5]

    texts = ["a fish", "a boat", "old man", "a sea", "a hand", "a boat"]
    events = run(source(tmp_path / "m"), tmp_path / "out", Halves([Text(text) for text in texts]), steps=1)
    assert notices(events)["held_out_repeats"].params == {"repeats": 1, "held_out": 3}


def test_korean_rows_for_an_english_model_are_told_and_learned(tmp_path):
    korean = [Text(f"바다는 넓고 {word} 푸르다") for word in ("아주", "정말", "늘", "참", "더", "꽤")]
    told = notices(run(CLASSICS, tmp_path / "a", Rows(korean), steps=1))["language"]
    assert told.params["languages"] == ["en"]
    assert told.params["language"] == "ko"
    some = Rows([*korean[:1], *(Text(f"{word} sea") for word in ("a", "the", "no", "one"))])
    assert "language" not in notices(run(CLASSICS, tmp_path / "b", some, steps=1))
    unnamed = source(tmp_path / "m")  # its card names no languages
    assert "language" not in notices(run(unnamed, tmp_path / "c", Rows(korean), steps=1))


def test_rows_that_are_all_too_long_are_cut_and_told(tmp_path):
    texts = Rows(
        [Text("the old man and the sea " * 20 + word) for word in ("one", "two", "six", "ten", "no")]
    )
    events = run(source(tmp_path / "m"), tmp_path / "out", texts, steps=1, length=16)
    assert notices(events)["rows_full"].params == {"full": 5, "rows": 5, "length": 16}


def test_rows_whose_answers_all_lie_beyond_the_length_are_refused_by_its_name(tmp_path):
    pairs = Rows([Pair("the old man and the sea " * 20, word) for word in ("one", "two", "six")])
    with pytest.raises(Invalid, match="3 are longer") as refused:
        run(source(tmp_path / "m"), tmp_path / "out", pairs, length=16)
    assert refused.value.field == "plan.length"
    assert "raise the length" in refused.value.remedy
    assert not (tmp_path / "out").exists()


def test_some_answers_beyond_the_length_are_counted(tmp_path):
    pairs = Rows([Pair("sea", "old man"), Pair("the old man and the sea " * 20, "one"), Pair("man", "a sea")])
    events = run(source(tmp_path / "m"), tmp_path / "out", pairs, steps=1, length=64, eval_share=0.0)
    assert notices(events)["rows_left_out"].params == {"left_out": 1, "rows": 3, "cut": 1, "length": 64}


def test_empty_answers_are_left_out_and_none_but_empty_ones_refused(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [{"prompt": "sea", "completion": word} for word in ("", "old man", "  ", "a boat")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = next(each for each in ingest([file], tmp_path / "data") if isinstance(each, Dataset))
    assert data.rows == 2
    found = next(each for each in data.findings if each["code"] == "no_answer")
    assert found["lines"] == [1, 3]
    assert losses(run(source(tmp_path / "m"), tmp_path / "out", data, steps=1))
    file.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(DataError):
        list(ingest([file], tmp_path / "data"))


FULL = (
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
)  # Python's, and safetensors' own


@pytest.mark.parametrize("error", FULL, ids=["python", "safetensors"])
def test_a_full_disk_at_a_checkpoint_leaves_the_one_before_and_the_run_goes_on(error, tmp_path, monkeypatch):
    model, asked = source(tmp_path / "m"), {"steps": 8, "save_every": 2, "eval_share": 0.0}
    run(model, tmp_path / "whole", **asked)
    written, save_file = [], safetensors.torch.save_file

    def full(tensors, path, metadata):
        written.append(path)
        if len(written) > 3:  # in the middle of the second checkpoint: weights are there, optimizer is not
            raise error
        save_file(tensors, path, metadata=metadata)

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(SetupError, match="the disk filled up") as refused:
        run(model, tmp_path / "cut", **asked)
    assert "resume" in refused.value.remedy
    home = tmp_path / ".cut.train"
    assert not list(home.glob(".step-*"))
    found, broken = checkpoint.newest(home)
    assert found is not None
    assert (found.step, broken) == (2, [])
    monkeypatch.undo()
    assert len(losses(run(model, tmp_path / "cut", resume=True, **asked))) == 6
    assert (tmp_path / "cut/model.safetensors").read_bytes() == (
        tmp_path / "whole/model.safetensors"
    ).read_bytes()
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")


def test_a_disk_that_is_full_before_the_first_step_is_told_too(tmp_path, monkeypatch):
    def full(*words):
        raise FULL[0]

    model = source(tmp_path / "m")
    monkeypatch.setattr(tokens_module.np, "asarray", full)
    with pytest.raises(SetupError, match="the disk filled up"):
        run(model, tmp_path / "out", sentences())
    assert not (tmp_path / "out").exists()
