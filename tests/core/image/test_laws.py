"""The laws of gains on pictures: live is baked, a warm model stays as it was, knobs do what they say."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_pictures import loaded

from imfine.core.bake import bake
from imfine.core.events import Picture
from imfine.core.image import measures
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.core.image.model import parts
from imfine.core.manifest import manifest
from imfine.core.models.fingerprint import fingerprint
from imfine.core.recipe import Recipe

RECIPES = {
    "attn": {"attn": 0.6},
    "mlp": {"mlp": 1.4},
    "eps": {"eps": 4.0},
    "tone": {"tone": 0.7},
    "style": {"style": -0.8},
    "points": {"points": {"o2": 0.5, "OUT01.q1": 1.3, "gate": 0.8, "TE.v": 1.2, "norm": 1.1, "up": 0.9}},
    "all": {"attn": 1.2, "mlp": 0.9, "eps": 2.0, "tone": -0.5, "style": 0.5, "points": {"M00.o": 0.7}},
}


def recipe(what: dict[str, Any], layers: int) -> Recipe:
    return Recipe.parse(what | ({"bands": {"attn": [0.8] * (layers - 1) + [1.2]}} if "attn" in what else {}))


def drawn(model: Any, *recipes: Recipe, **settings: Any) -> list[np.ndarray]:
    lanes = tuple(Lane(f"lane{i}", each) for i, each in enumerate(recipes))
    asked = {"seed": 5, "steps": 4, "guidance": 4.0, "previews": False} | settings
    events = generate(model, ImageRequest(lanes, "a red apple", ImageSampling(**asked)))
    return [np.array(Image.open(io.BytesIO(e.png))) for e in events if isinstance(e, Picture)]


def apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("what", RECIPES)
@pytest.mark.parametrize("kind", ["sd1", "sdxl", "starter"])
def test_live_is_baked_and_loaded_again(made: Any, tmp_path: Path, kind: str, what: str) -> None:
    model = made(kind)
    asked = recipe(RECIPES[what], model.layout.layers)
    original, live = drawn(model, Recipe(), asked)
    list(bake(model.path, asked, tmp_path / "baked"))
    baked = loaded(tmp_path / "baked")
    [again] = drawn(baked, Recipe())
    assert apart(live, again) <= (3 if kind == "starter" else 1)  # whose files are in 16 bits
    assert apart(live, original) > 1


def test_nothing_changes_on_a_warm_model(made: Any) -> None:
    model = made("sdxl")
    before = {name: fingerprint(module) for name, module in parts(model).items()}
    first = drawn(model, Recipe())
    for what in RECIPES.values():
        drawn(model, recipe(what, model.layout.layers))
    model = made("sdxl")
    assert apart(drawn(model, Recipe())[0], first[0]) == 0
    assert {name: fingerprint(module) for name, module in parts(model).items()} == before


def test_a_neutral_plan_is_no_work(made: Any) -> None:
    model = made("sd1")
    assert model.equalizer.plan([Recipe(), Recipe(tone=0.0)]).is_neutral


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "starter"])
def test_the_manifest_counts_what_a_bake_changes(made: Any, tmp_path: Path, kind: str) -> None:
    model = made(kind)
    asked = recipe(RECIPES["all"], model.layout.layers)
    list(bake(model.path, asked, tmp_path / "baked"))
    baked = loaded(tmp_path / "baked")
    before, after = (
        {f"{part}.{name}": p for part, m in parts(each).items() for name, p in m.named_parameters()}
        for each in (model, baked)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    told = manifest(model.layout, asked, {name: tuple(p.shape) for name, p in before.items()})
    assert {each["name"] for each in told["tensors"]} == changed
    assert told["touched"] == len(changed)
    assert told["total"] == len(before)


def test_tone_is_saturation(made: Any) -> None:
    model = made("starter")
    grey, muted, own, vivid = drawn(
        model, Recipe(tone=-1), Recipe(tone=-0.5), Recipe(), Recipe(tone=1), steps=10, guidance=3.0
    )
    assert apart(grey[..., 0], grey[..., 1]) <= 1
    colours = [measures.colourfulness(each) for each in (grey, muted, own, vivid)]
    assert colours == sorted(colours)
    assert colours[0] < 1 < colours[2] / 2
    assert abs(float(grey.mean()) - float(muted.mean())) < 3, "brightness stays"


def test_style_is_relief(made: Any) -> None:
    model = made("starter")
    styles = (-1.0, -0.5, 0.0, 0.5, 1.0)
    series = [
        drawn(model, *(Recipe(style=s) for s in styles), seed=n, steps=10, guidance=3.0) for n in (3, 4)
    ]
    sharp = np.mean([[measures.sharpness(each) for each in pictures] for pictures in series], axis=0)
    assert list(sharp) == sorted(sharp), sharp
    assert sharp[-1] > 1.1 * sharp[0]
