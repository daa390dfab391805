"""A learned knob: what it is made of, what it refuses, and that diffusers turns it both ways."""

from __future__ import annotations

import json

import pytest
import small_pictures
import torch
from diffusers import StableDiffusionPipeline
from training import Source

from imfine.core.events import Phase
from imfine.core.train.events import ProbeResult, SliderResult, TrainStep
from imfine.core.train.sliders.learn import learn
from imfine.core.train.sliders.probe import probe_slider
from imfine.core.train.sliders.slider import Slider, learned
from imfine.errors import Conflict, Invalid, OutOfMemory, TrainingDiverged


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plus": ""}, "plus"),
        ({"minus": "red"}, "minus"),
        ({"neutral": ("a", "\ud800")}, "neutral.1"),
        ({"neutral": ("a",) * 65}, "neutral"),
        ({"eta": float("nan")}, "eta"),
        ({"steps": 0}, "steps"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_field(changes, field):
    with pytest.raises(Invalid) as refused:
        Slider(**{"plus": "red", "minus": "blue", **changes})
    assert refused.value.field == f"slider.{field}"
    assert refused.value.remedy


def test_a_knob_is_learned_and_turned(tmp_path):
    parent = Source(small_pictures.save("sd1", tmp_path / "model"))
    slider = Slider("red", "blue", ("thing",), steps=4, batch=2, count=2, rank=2, lr=1e-2)
    out = tmp_path / "adapters" / "colour"
    events = list(learn(parent, slider, out, label={"en": "Colour", "ko": "색"}))
    assert [event.step for event in events if isinstance(event, TrainStep)] == [1, 2, 3, 4]
    assert isinstance(events[-1], SliderResult)
    facts = json.loads((out / "imfine-train.json").read_text())
    assert (facts["kind"], facts["low"], facts["high"]) == ("slider", -2, 2)
    assert facts["label"] == {"en": "Colour", "ko": "색"}
    assert facts["prompts"] == {"plus": "red", "minus": "blue", "for": ["thing"]}
    assert facts["parent"] == {"id": parent.id, "checksum": parent.checksum}
    assert {file.name for file in out.iterdir()} == {
        "colour-kohya.safetensors", "imfine-train.json", "pytorch_lora_weights.safetensors",
    }  # fmt: skip
    pipeline = StableDiffusionPipeline.from_pretrained(parent.path, safety_checker=None)
    asked = torch.ones(1, 4, 8, 8), torch.tensor([500]), torch.ones(1, 32, 32)
    with torch.no_grad():
        before = pipeline.unet(*asked).sample
        pipeline.load_lora_weights(out, weight_name="pytorch_lora_weights.safetensors", adapter_name="knob")
        said = {}
        for strength in (-1.0, 0.0, 1.0):
            pipeline.set_adapters(["knob"], [strength])
            said[strength] = pipeline.unet(*asked).sample
    assert torch.allclose(said[0.0], before, atol=1e-6)
    assert (said[1.0] - before).abs().max() > 1e-4
    assert (said[1.0] - said[-1.0]).abs().max() > (said[1.0] - before).abs().max()
    with pytest.raises(Conflict):
        list(learn(parent, slider, out))


@pytest.fixture
def parent(tmp_path):
    return Source(small_pictures.save("sd1", tmp_path / "model"))


SHORT = {"plus": "red", "minus": "blue", "steps": 2, "batch": 2, "count": 1, "rank": 1}


def test_whose_it_is_tells_what_a_run_has_made(parent, tmp_path):
    out = tmp_path / "adapters" / "colour"
    *_, made = learn(parent, Slider(**SHORT), out, run="first")
    assert learned(out, "first") == made
    assert learned(out, "second") is None
    assert learned(tmp_path, "first") is None


def test_every_step_of_a_picture_that_is_drawn_is_a_sign_of_life(parent, tmp_path):
    events = learn(parent, Slider(**{**SHORT, "count": 5}), tmp_path / "adapters" / "colour")
    drawing = [event.done for event in events if isinstance(event, Phase) and event.phase == "working"]
    assert sorted(set(drawing)) == [0, 4]
    assert drawing.count(0) == drawing.count(4) > 1


def test_whoever_stops_listening_leaves_nothing_behind(parent, tmp_path):
    events = learn(parent, Slider(**SHORT), tmp_path / "adapters" / "colour")
    assert next(event for event in events if isinstance(event, TrainStep)).step == 1
    events.close()
    assert not (tmp_path / "adapters").exists()


def test_numbers_that_break_end_it_with_a_rate_that_may_not(parent, tmp_path, monkeypatch):
    monkeypatch.setattr("imfine.core.train.sliders.learner.learning_rate", lambda *_: float("inf"))
    with pytest.raises(TrainingDiverged) as ended:
        list(learn(parent, Slider(**{**SHORT, "lr": 0.1}), tmp_path / "adapters" / "colour"))
    assert (ended.value.field, ended.value.params["change"]) == ("slider.lr", {"lr": 0.01})
    assert not (tmp_path / "adapters").exists()


def test_what_does_not_fit_is_told_before_anything_is_read(parent, tmp_path, monkeypatch):
    monkeypatch.setattr("imfine.core.train.sliders.learner.free_memory", lambda: (1 << 20, "cpu"))
    for batch, change in ((4, {"batch": 2}), (1, {})):
        with pytest.raises(OutOfMemory) as refused:
            list(learn(parent, Slider(**{**SHORT, "batch": batch}), tmp_path / "adapters" / "colour"))
        assert (refused.value.field, refused.value.params["change"]) == ("slider.batch", change)
        assert refused.value.remedy


def test_how_long_it_takes_is_measured_and_nothing_left(parent, tmp_path):
    before = set(tmp_path.rglob("*"))
    *phases, told = probe_slider(parent, Slider(**{**SHORT, "steps": 1000, "count": 9}))
    assert isinstance(told, ProbeResult)
    assert (told.steps, told.rows, told.held_out, told.evaluations) == (1000, 9, 0, 0)
    assert told.seconds == pytest.approx(1000 * told.step_s + told.rest_s)
    assert told.tokens_per_s == pytest.approx(2 / told.step_s)
    measuring = [event for event in phases if event.phase == "measuring"]
    assert [event.done for event in measuring] == list(range(len(measuring)))
    assert 4 < len(measuring) <= measuring[0].total
    assert set(tmp_path.rglob("*")) == before
