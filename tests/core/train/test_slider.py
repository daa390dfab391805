"""A learned knob: what it is made of, what it refuses, and that diffusers turns it both ways."""

from __future__ import annotations

import json

import pytest
import small_pictures
import torch
from diffusers import StableDiffusionPipeline
from training import Source

from imfine.core.train.events import TrainStep
from imfine.core.train.slider import Slider, SliderResult, learn
from imfine.errors import Conflict, Invalid


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plus": ""}, "plus"),
        ({"minus": "red"}, "minus"),
        ({"neutral": ("a", "\ud800")}, "for.1"),
        ({"neutral": ("a",) * 65}, "for"),
        ({"eta": float("nan")}, "eta"),
        ({"steps": 0}, "steps"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_field(changes, field):
    with pytest.raises(Invalid) as refused:
        Slider(**{"plus": "red", "minus": "blue", **changes})
    assert refused.value.field == field
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
