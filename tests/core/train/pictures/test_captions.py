"""Frozen text encoders read a caption once; those that learn read it at every step."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_pictures
import torch
from accelerate import Accelerator
from picture_data import Pictures
from training import Source

from imfine.core.train.pictures import captions
from imfine.core.train.pictures.captions import Captions, Words
from imfine.core.train.pictures.learner import PictureLearner
from imfine.core.train.plan import Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared


def opened(kind: str, tmp_path: Path, blocks: tuple[str, ...] | None = None) -> Prepared:
    source = Source(small_pictures.save(kind, tmp_path / kind))
    asked = Plan(steps=4, batch=2, rank=2, blocks=blocks, eval_share=0.2)
    steps = prepare(Accelerator(), source, Pictures(tmp_path / "pictures"), asked, tmp_path / "rows")
    return next(each for each in steps if isinstance(each, Prepared))


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_what_is_kept_is_what_the_encoders_say(kind, tmp_path):
    found = opened(kind, tmp_path)
    learner, ids = found.learner, found.lesson.fixed([(0,), (1,)])[3]
    assert isinstance(learner, PictureLearner)
    with torch.no_grad():
        words, added = learner.read(ids, 8)
        again, _ = learner.read(ids.flip(0), 8)
        expected, pooled = learner._encoded(ids)
    assert torch.allclose(words, expected, atol=1e-5)
    assert torch.equal(words, again.flip(0))
    assert (added is None) == (pooled is None) == (kind == "sd1")
    if added is not None:
        assert torch.allclose(added["text_embeds"], pooled, atol=1e-5)


def test_steps_and_evaluations_read_each_caption_once(tmp_path):
    found = opened("sd1", tmp_path)
    assert isinstance(found.learner, PictureLearner)
    reads = []
    found.learner.module["text_encoder"].register_forward_hook(lambda *_: reads.append(1))
    for step in range(12):  # three epochs of eight pictures
        found.stepper.take(step, lambda loss, norm: None)
    different = {tuple(ids.flatten().tolist()) for ids in found.lesson.fixed([(i,) for i in range(10)])[3]}
    assert 1 < len(reads) <= len(different)


def test_encoders_that_learn_are_asked_anew(tmp_path):
    found = opened("sd1", tmp_path, ("IN01", "TE"))
    assert isinstance(found.learner, PictureLearner)
    assert found.learner.captions is None
    assert found.learner.module["text_encoder"].training


def test_frozen_encoders_have_no_dropout(tmp_path):
    found = opened("sd1", tmp_path)
    assert found.learner.module["unet"].training
    assert not found.learner.module["text_encoder"].training


def test_what_finds_no_room_is_read_each_time(monkeypatch):
    reads: list[int] = []

    def read(ids: torch.Tensor) -> Words:
        reads.append(int(ids))
        return ids.float().reshape(1, 1, 1), None

    monkeypatch.setattr(captions, "KEPT", 8)  # two captions of one number
    kept = Captions(read)
    ids = torch.tensor([3, 4, 5]).reshape(3, 1, 1)
    for _ in range(2):
        words, pooled = kept(ids)
        assert words.flatten().tolist() == [3.0, 4.0, 5.0]
        assert pooled is None
    assert reads == [3, 4, 5, 5]
