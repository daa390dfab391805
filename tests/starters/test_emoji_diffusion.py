"""The Stable Diffusion starter as a person meets it: loaded from its folder, painted by our own loop."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

FOLDER = Path(__file__).parents[2] / "starters" / "emoji-diffusion"
SCRIPTS = ("emojis", "vae", "diffusion", "make", "painter", "sheet", "measure")
NEAR = 5  # of 20: chance is 25 %


@pytest.fixture(scope="module")
def scripts() -> Iterator[SimpleNamespace]:
    """The modules beside the model; they import each other by bare names, which other starters have too."""
    taken = {name: sys.modules.pop(name) for name in SCRIPTS if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    try:
        yield SimpleNamespace(**{name: import_module(name) for name in SCRIPTS})
    finally:
        sys.path.remove(str(FOLDER))
        for name in SCRIPTS:
            sys.modules.pop(name, None)
        sys.modules.update(taken)


@pytest.fixture(scope="module")
def model(scripts: SimpleNamespace) -> Any:
    return scripts.painter.load(FOLDER)


def test_it_is_a_small_true_stable_diffusion_in_half_precision() -> None:
    index = json.loads((FOLDER / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    files = sorted(FOLDER.glob("*/*.safetensors"))
    assert [file.parent.name for file in files] == ["text_encoder", "unet", "vae"]
    for file in files:
        assert file.stat().st_size < 40e6
        with safe_open(file, "pt") as weights:
            dtypes = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
        assert dtypes == {"F16"}


def test_the_same_prompt_and_seed_draw_the_same_picture(scripts: SimpleNamespace, model: Any) -> None:
    paint = scripts.painter.paint
    one, other = (paint(model, [("red heart", 5), ("red heart", 6)]) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.allclose(one[0], one[1], atol=0.1), "two seeds, two pictures"


def test_what_it_draws_is_near_to_what_was_asked(scripts: SimpleNamespace, model: Any) -> None:
    strip = np.asarray(Image.open(FOLDER / "reference.png").convert("RGB"))
    emoji = [strip[:, left : left + 64] for left in range(0, strip.shape[1], 64)]
    known = scripts.measure.latents_of(model, emoji)
    prompts = scripts.sheet.PROMPTS["seen"] + scripts.sheet.PROMPTS["본 것"]
    assert len(emoji) == len(prompts) == 20
    ranks = scripts.measure.ranked(model, known, list(enumerate(prompts)))
    near = sum(rank < NEAR for rank in ranks)
    assert near >= 12, f"{near} of 20 were among the nearest {NEAR}, by chance 5: {ranks}"


def test_the_card_says_what_was_measured() -> None:
    measured = json.loads((FOLDER / "evaluation.json").read_text())
    card = (FOLDER / "README.md").read_text(encoding="utf-8")

    def row(name: str, *rates: dict[str, float]) -> str:
        shown = [f"{r['percent']:.1f} % ({r['low']:.1f}–{r['high']:.1f})" for r in rates]
        return f"| {name} | {' | '.join(shown)} |"

    for language, name in (("en", "English"), ("ko", "Korean")):
        found = measured["retrieval"][language]
        assert row(f"{name} label", found["top_1"], found["top_5"]) in card
        assert found["top_1"]["n"] == found["top_5"]["n"] == 200
        unseen = measured["unseen_colours"][language]
        assert row(f"{name}, unseen", unseen["colour"], unseen["noun"], unseen["both"]) in card
    assert f"{measured['retrieval']['among']:,} emoji" in card
    assert re.search(r"n = 200\b", card)
    assert re.search(rf"n = {measured['unseen_colours']['en']['colour']['n']}\b", card)


def test_the_cards_pictures_are_there_and_small() -> None:
    assert "](samples.png)" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert (FOLDER / "samples.png").stat().st_size < 400e3
    with Image.open(FOLDER / "samples.png") as sheet:
        assert sheet.width > 1000


def test_training_moves_every_part_and_goes_on_where_it_stopped(
    scripts: SimpleNamespace, tmp_path: Path
) -> None:
    diffusion, make = scripts.diffusion, scripts.make
    model = make.painting(from_scratch=False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    checkpoint = diffusion.Checkpoint(tmp_path / "checkpoint.pt", model, 1e-2)
    tokenizer, scheduler = make.tokenizer_of(FOLDER), make.DDIMScheduler.from_pretrained(FOLDER / "scheduler")
    latents = torch.randn(4, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    captions = ["red apple", "cat face", "책 여러 권", ""]
    diffusion.fit(checkpoint, tokenizer, scheduler, lambda _dice: (latents, captions), 1e-3)
    assert checkpoint.step == 1
    # those of one dimension know no weight decay: what moves them is a gradient
    still = [n for n, p in model.named_parameters() if p.dim() == 1 and torch.equal(p, before[n])]
    assert still == []

    again = diffusion.Checkpoint(checkpoint.path, make.painting(from_scratch=False), 1e-2)
    again.load()
    assert (again.step, again.seconds) == (1, checkpoint.seconds)
    assert all(torch.equal(p, q) for p, q in zip(again.model.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0.0, 27.8), (5, 23.7, 76.3), (10, 72.2, 100.0)])
def test_the_interval_is_wilsons(scripts: SimpleNamespace, hits: int, low: float, high: float) -> None:
    found = scripts.measure.rate([True] * hits + [False] * (10 - hits))
    assert (found["low"], found["high"]) == (low, high)


def test_a_tint_keeps_white_white_and_takes_the_colour(scripts: SimpleNamespace) -> None:
    pixels = np.full((8, 8, 3), 255, np.uint8)
    pixels[:4] = (200, 40, 40)
    blue = scripts.emojis.tint(pixels, "blue")
    assert (blue[4:] == 255).all()
    np.testing.assert_allclose(blue[0, 0], scripts.emojis.COLOURS["blue"].rgb, atol=1)
