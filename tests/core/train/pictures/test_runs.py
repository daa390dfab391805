"""Training of Stable Diffusion: exact resume, every method and part, adapters that other programs read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_pictures
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from picture_data import Pictures
from PIL import Image
from safetensors.torch import load_file
from training import Source, curve, losses, result

from imfine.core.events import Notice
from imfine.core.train.events import Evaluated, SampledPicture, TrainEvent
from imfine.core.train.loop import train
from imfine.core.train.pictures.adapter import kohya_name
from imfine.core.train.plan import Plan
from imfine.errors import Invalid


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    at = tmp_path_factory.mktemp("small")
    return {kind: Source(small_pictures.save(kind, at / kind)) for kind in small_pictures.KINDS}


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


def plan(**changes: Any) -> Plan:
    settings = {"steps": 4, "batch": 2, "lr": 1e-2, "rank": 2, "eval_share": 0.2, "eval_every": 2, **changes}
    return Plan(**settings)


def run(model: Source, data: Pictures, out: Path, asked: Plan, **options: Any) -> list[TrainEvent]:
    return list(train(model, data, asked, out, **options))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("*/*.safetensors"))
    return {f"{file.parent.name}.{name}": t for file in files for name, t in load_file(file).items()}


METHODS = [("full", "sd1"), ("lora", "sd2"), ("dora", "sd2"), ("full", "sdxl"), ("dora", "sdxl")]


@pytest.mark.parametrize(("method", "kind"), METHODS)
def test_what_is_trained_changes_and_nothing_else(kind, method, small, pictures, tmp_path):
    asked = plan(method=method, parts=("attn",), blocks=("IN02" if kind != "sdxl" else "IN04", "TE"))
    end = result(run(small[kind], pictures, tmp_path / "out", asked))
    before, after = weights(small[kind].path), weights(tmp_path / "out")
    assert before.keys() | {"adapter"} >= {n for n in after if not n.startswith("adapter.")}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("to_" in name or "self_attn" in name for name in changed)
    assert {name.partition(".")[0] for name in changed} >= {"unet", "text_encoder"}
    assert end.perplexity_before is None
    assert end.loss_after is not None
    pipeline = StableDiffusionXLPipeline if kind == "sdxl" else StableDiffusionPipeline
    pipeline.from_pretrained(tmp_path / "out", safety_checker=None)
    small_pictures.loaded(tmp_path / "out")


@pytest.mark.parametrize(("kind", "blocks"), [("sd1", ("IN01", "TE")), ("sdxl", None)])
def test_a_run_that_was_interrupted_is_the_run_that_was_not(kind, blocks, small, pictures, tmp_path):
    asked = plan(
        steps=4, snr_gamma=5.0, ema=0.9, dropout=0.1, caption_dropout=0.5, prior="a thing", prior_count=2,
        samples=("thing 1",), eval_every=4, save_every=1, blocks=blocks,
    )  # fmt: skip
    whole = run(small[kind], pictures, tmp_path / "whole", asked)
    steps = 0

    def stop() -> Any:
        return "pause" if steps >= 2 else "go"

    for event in train(small[kind], pictures, asked, tmp_path / "parts", stop=stop):
        steps += event.type == "train_step"
    rest = run(small[kind], pictures, tmp_path / "parts", asked, resume=True)
    assert losses(whole)[2:] == losses(rest)
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert len(one) == len(other)
    assert all(torch.equal(one[name], other[name]) for name in one if not name.startswith("adapter."))
    drawn = [event for event in whole if isinstance(event, SampledPicture)]
    assert [event.step for event in drawn] == [0, 4]
    for event in drawn:
        file = tmp_path / "whole" / event.file
        assert hashlib.sha256(file.read_bytes()).hexdigest() == event.sha256
        assert Image.open(file).size == (event.width, event.height) == (16, 16)


def test_accumulation_changes_nothing(small, pictures, tmp_path):
    one = run(small["sd1"], pictures, tmp_path / "one", plan(batch=4, accumulation=1))
    two = run(small["sd1"], pictures, tmp_path / "two", plan(batch=2, accumulation=2))
    assert losses(one) == pytest.approx(losses(two), rel=1e-5)
    measured = [[e.loss for e in events if isinstance(e, Evaluated)] for events in (one, two)]
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)


def test_the_held_out_loss_falls_and_is_fixed(small, pictures, tmp_path):
    asked = plan(method="full", lr=1e-3, steps=30, eval_every=30)
    events = run(small["sd1"], pictures, tmp_path / "a", asked)
    before, after = (event.loss for event in events if isinstance(event, Evaluated))
    assert after < before
    again = run(small["sd1"], pictures, tmp_path / "b", plan(method="lora", steps=1, seed=0))
    assert next(e.loss for e in again if isinstance(e, Evaluated)) == before


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("sd1", {"resolution": 32}),
        ("sd2", {"dtype": "bfloat16"}),
        ("sdxl", {"dtype": "bfloat16"}),
        *((kind, {"checkpointing": True}) for kind in small_pictures.KINDS),
    ],
)
def test_other_ways_of_computing(kind, changes, small, pictures, tmp_path):
    asked = plan(steps=2, blocks=("M00", "TE"), samples=("thing 2",), **changes)
    events = run(small[kind], pictures, tmp_path / "out", asked)
    assert all(np.isfinite(losses(events)))
    if "checkpointing" in changes:
        plain = run(
            small[kind], pictures, tmp_path / "plain", replace(asked, checkpointing=False, samples=())
        )
        assert losses(events) == pytest.approx(losses(plain), rel=1e-5)


def test_captions_that_are_cut_and_a_lack_of_pictures_to_measure_with_are_told(small, tmp_path):
    one = Pictures(tmp_path / "one", count=1)
    one._rows[0] = replace(one.row(0), caption="a very long caption " * 40)
    told = {e.code: e for e in run(small["sd1"], one, tmp_path / "a", plan(steps=1)) if isinstance(e, Notice)}
    assert told.keys() == {"nothing_held_out", "captions_cut"}
    assert (told["captions_cut"].params["cut"], told["captions_cut"].params["rows"]) == (1, 1)
    assert "of 1 picture none is left" in told["nothing_held_out"].message
    many = run(small["sd1"], Pictures(tmp_path / "many"), tmp_path / "b", plan(steps=1))
    assert not any(isinstance(event, Notice) for event in many)


def paint(pipeline: Any) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        "thing 4", num_inference_steps=4, guidance_scale=3.0, output_type="np",
        generator=torch.Generator().manual_seed(1), height=16, width=16,
    ).images[0]  # fmt: skip


DIFFUSERS, KOHYA = "pytorch_lora_weights.safetensors", "out-kohya.safetensors"


@pytest.mark.parametrize(
    ("file", "method", "kind"),
    [
        (DIFFUSERS, "lora", "sd1"), (DIFFUSERS, "dora", "sd2"), (DIFFUSERS, "lora", "sdxl"),
        (DIFFUSERS, "dora", "sdxl"), (KOHYA, "lora", "sd1"), (KOHYA, "lora", "sdxl"),
    ],
)  # fmt: skip
def test_diffusers_reads_the_adapter(file, kind, method, small, pictures, tmp_path):
    blocks = ("M00", "TE") if file == KOHYA else None
    run(small[kind], pictures, tmp_path / "out", plan(method=method, alpha=3.0, lr=3e-2, blocks=blocks))
    pipeline = StableDiffusionXLPipeline if kind == "sdxl" else StableDiffusionPipeline
    parent = pipeline.from_pretrained(small[kind].path, safety_checker=None)
    merged = pipeline.from_pretrained(tmp_path / "out", safety_checker=None)
    before = paint(parent)
    parent.load_lora_weights(tmp_path / "out" / "adapter", weight_name=file)
    ours, theirs = paint(merged), paint(parent)
    assert np.abs(ours - before).max() > 0.01
    assert np.abs(ours - theirs).max() < 1e-3


@pytest.mark.parametrize("kind", small_pictures.KINDS)
def test_kohyas_file_of_dora_holds_what_diffusers_own_does(kind, small, pictures, tmp_path):
    """diffusers leaves magnitudes out of kohya's files, and says so: it cannot be asked to draw with them."""
    asked = plan(method="dora", alpha=3.0, lr=3e-2, blocks=("M00", "TE"))
    run(small[kind], pictures, tmp_path / "out", asked)
    own, kohya = (load_file(tmp_path / "out" / "adapter" / file) for file in (DIFFUSERS, KOHYA))
    targets = {key.rpartition(".lora_A")[0] for key in own if ".lora_A" in key}
    assert len(kohya) == 4 * len(targets)
    for target in targets:
        name = kohya_name(target, two=kind == "sdxl")
        down, up, alpha, magnitude = (
            kohya[f"{name}.{what}"] for what in ("lora_down.weight", "lora_up.weight", "alpha", "dora_scale")
        )
        assert torch.equal(down, own[f"{target}.lora_A.weight"])
        assert torch.equal(up * (alpha / len(down)), own[f"{target}.lora_B.weight"])
        assert magnitude.shape[0] == up.shape[0], "by output, as PEFT has it"
        assert torch.equal(magnitude.flatten(), own[f"{target}.lora_magnitude_vector"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"layers": (0,)}, "layers"),
        ({"length": 64}, "length"),
        ({"blocks": ("IN00",)}, "blocks"),
        ({"blocks": ("IN99",)}, "blocks"),
        ({"resolution": 12}, "resolution"),
    ],
)
def test_a_plan_is_held_against_the_picture_model(changes, field, small, pictures, tmp_path):
    with pytest.raises(Invalid) as refused:
        run(small["sd1"], pictures, tmp_path / "out", plan(**changes))
    assert refused.value.field == f"plan.{field}"
    assert not (tmp_path / "out").exists()
