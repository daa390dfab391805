"""One request at a time, a step a step; what is kept is told at once; what breaks, breaks alone."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imfine.core.events import (
    Event,
    LaneEnd,
    Notice,
    Phase,
    Picture,
    PictureMeasures,
    PictureResult,
    Preview,
    to_json,
)
from imfine.core.image import opened as opened_module
from imfine.core.image import png
from imfine.core.image.decode import decode
from imfine.core.image.encode import touches_encoders
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, Painter, generate
from imfine.core.image.preview import colour_map
from imfine.core.models.fingerprint import fingerprint
from imfine.core.recipe import Recipe
from imfine.errors import BrokenNumbers, ImfineError, Invalid, OutOfMemory

BOTH = (Lane("base"), Lane("tuned", Recipe(attn=1.3)))


def request(lanes: tuple[Lane, ...] = BOTH, prompt: str = "a red apple", **settings: Any) -> ImageRequest:
    return ImageRequest(lanes, prompt, ImageSampling(**{"seed": 5, "steps": 3, **settings}))


def drive(painter: Painter) -> list[tuple[str, Event | ImfineError]]:
    out: list[tuple[str, Event | ImfineError]] = []
    while painter.busy:
        out += painter.step()
    return out


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def unet_rows(model: Any) -> list[int]:
    """The rows of each UNet call from here on."""
    rows: list[int] = []
    model.unet.conv_in.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    return rows


def test_the_events_and_their_order(made: Any) -> None:
    events = list(generate(made("sd1"), request(count=2)))
    kinds = [type(event) for event in events]
    assert kinds[0] is Phase
    assert kinds[-1] is PictureResult
    assert kinds.index(Picture) > max(i for i, kind in enumerate(kinds) if kind is Preview)
    assert kinds.index(PictureMeasures) > max(i for i, kind in enumerate(kinds) if kind is LaneEnd)
    assert len(of(events, Picture)) == len(of(events, PictureMeasures)) == 4
    steps = [(e.done, e.total) for e in of(events, Phase) if e.phase == "working"]
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]
    base = [e for e in of(events, PictureMeasures) if e.lane == 0]
    assert all(e.ssim is None and e.difference is None for e in base)
    tuned = [e for e in of(events, PictureMeasures) if e.lane == 1]
    assert all(0 < e.difference < 1 and -1 <= e.ssim < 1 for e in tuned)
    result = events[-1]
    assert result.checksum["verified"]
    assert [each["seed"] for each in result.lanes[1].pictures] == [5, 6]
    assert result.image["width"] == 16
    for event in events:
        told = to_json(event)
        assert "png" not in told
        if isinstance(event, Picture):
            assert told["url"] == f"/api/artifacts/{event.sha256}.png"


def test_a_moved_slider_costs_one_picture(made: Any) -> None:
    model = made("sd1")
    first = list(generate(model, request()))
    rows = unet_rows(model)
    moved = list(generate(model, request((Lane("base"), Lane("tuned", Recipe(attn=0.7))))))
    assert set(rows) == {2}, "guidance of one picture"
    assert isinstance(moved[0], Picture), "the original is told before anything is computed"
    assert moved[0].png == next(e for e in first if isinstance(e, Picture) and e.lane == 0).png
    assert not [e for e in of(moved, Preview) if e.lane == 0]
    assert moved[-1].lanes[0].metrics["kept"]
    assert not moved[-1].lanes[1].metrics["kept"]
    assert moved[-1].checksum["verified"]


def test_a_kept_picture_is_one_of_any_count(made: Any) -> None:
    model = made("sd1")
    four = list(generate(model, request((Lane("base"),), count=3)))
    rows = unet_rows(model)
    third = list(generate(model, request((Lane("base"),), seed=7)))
    assert not rows
    assert of(third, Picture)[0].png == of(four, Picture)[2].png
    assert of(third, Picture)[0].index == 0


@pytest.mark.parametrize("change", [{"seed": 6}, {"steps": 4}, {"guidance": 2.0}, {"negative": "x"}])
def test_other_settings_are_another_picture(made: Any, change: dict[str, Any]) -> None:
    model = made("sd1")
    list(generate(model, request((Lane("base"),))))
    rows = unet_rows(model)
    list(generate(model, request((Lane("base"),), **change)))
    assert rows


def test_encodings_are_kept_unless_the_recipe_reaches_the_encoder(made: Any) -> None:
    model = made("sd1")
    list(generate(model, request()))
    calls: list[int] = []
    model.text_encoders[0].register_forward_hook(lambda module, args, out: calls.append(1))
    *blocks, _ = [1.0] * model.layout.layers
    unet_only = Recipe(attn=2.0, bands={"attn": [*blocks, 0.5]})
    list(generate(model, request((Lane("tuned", unet_only),))))
    assert not calls
    list(generate(model, request((Lane("tuned", Recipe(mlp=1.1)),))))
    assert calls
    assert touches_encoders(model, Recipe(bands={"mlp": [*blocks, 1.1]}))
    assert not touches_encoders(model, unet_only)


def test_equal_lanes_share_a_row(made: Any) -> None:
    model = made("sd1")
    rows = unet_rows(model)
    events = list(generate(model, request((Lane("a"), Lane("b")))))
    assert set(rows) == {2}
    assert [e.lane for e in of(events, Picture)] == [0, 1]


def test_requests_wait_for_one_another(made: Any) -> None:
    painter = Painter(made("sd1"))
    painter.join("a", request())
    painter.join("b", request(seed=9))
    assert (painter.rows, painter.free_rows) == (4, 0)
    who = [each for each, _ in drive(painter)]
    assert who == sorted(who)
    assert (painter.rows, painter.free_rows) == (0, 1)


def test_a_step_is_one_unet_call(made: Any) -> None:
    model = made("sd1")
    painter = Painter(model)
    painter.join("a", request())
    rows = unet_rows(model)
    painter.step()
    assert len(rows) == 1
    painter.step()
    assert len(rows) == 2


def test_a_cancel_is_heard_at_the_next_step(made: Any) -> None:
    model = made("sd1")
    painter = Painter(model)
    painter.join("a", request(steps=50))
    painter.join("b", request())
    painter.step()
    assert [(e.lane, e.finish_reason) for e in painter.leave("a")] == [(0, "cancelled"), (1, "cancelled")]
    assert {who for who, _ in drive(painter)} == {"b"}
    told = []
    events = generate(model, request(seed=1, steps=50), cancelled=lambda: len(told) > 3)
    told.extend([])
    for event in events:
        told.append(event)
    assert [e.finish_reason for e in of(told, LaneEnd)] == ["cancelled", "cancelled"]
    assert not of(told, PictureResult)


def test_broken_numbers_end_one_request_alone(made: Any) -> None:
    model = made("sd1")
    painter = Painter(model)
    handle = model.unet.conv_out.register_forward_hook(
        lambda module, args, y: y * float("nan") if len(y) == 4 else None
    )
    try:
        painter.join("bad", request())
        painter.join("good", request((Lane("base"),)))
        out = drive(painter)
    finally:
        handle.remove()
    bad = [event for who, event in out if who == "bad"]
    assert isinstance(bad[-1], BrokenNumbers)
    assert bad[-1].field == "recipe"
    assert isinstance(out[-1][1], PictureResult)
    assert out[-1][0] == "good"


def test_nothing_changes_on_a_warm_model(made: Any) -> None:
    model = made("sdxl")
    before = {name: fingerprint(getattr(model, name)) for name in ("unet", "vae")}
    lanes = (Lane("base"), Lane("tuned", Recipe(attn=0.2, mlp=3.0)))
    first = list(generate(model, request(lanes)))
    assert {name: fingerprint(getattr(model, name)) for name in ("unet", "vae")} == before
    model = made("sdxl")  # nothing kept
    again = list(generate(model, request(lanes)))
    assert [e.sha256 for e in of(first, Picture)] == [e.sha256 for e in of(again, Picture)]


def test_a_picture_says_how_to_make_it_again(made: Any) -> None:
    model = made("sd1")
    lanes = (Lane("tuned", Recipe(attn=1.4)),)
    last = of(list(generate(model, request(lanes, prompt="빨간 사과 🍎", count=2))), Picture)[1]
    says = png.read(last.png)
    assert says["prompt"] == "빨간 사과 🍎"
    lane = Lane(says["lane"], Recipe.parse(says["recipe"]))
    made_again = list(
        generate(model, ImageRequest((lane,), says["prompt"], ImageSampling.parse(says["image"])))
    )
    pixels = [np.array(Image.open(io.BytesIO(data))) for data in (last.png, of(made_again, Picture)[0].png)]
    assert np.abs(pixels[0].astype(int) - pixels[1].astype(int)).max() <= 1


def test_a_long_prompt_is_told(made: Any) -> None:
    model = made("sd1")
    words = " ".join(["apple"] * 28 + ["banana", "Cherry!"] * 4)
    events = list(generate(model, request(prompt=words)))
    cut = [e for e in of(events, Notice) if e.code == "prompt_cut"]
    assert len(cut) == 1
    assert words.endswith(cut[0].params["words"])
    assert "Cherry!" in cut[0].params["words"]
    assert not of(list(generate(model, request(prompt="an apple"))), Notice)
    negative = of(list(generate(model, request(negative=words))), Notice)
    assert negative[0].params["field"] == "image.negative"


@pytest.mark.parametrize("prompt", ["", "  \n", "half \ud800"])
def test_prompts_that_cannot_be_read_are_refused(made: Any, prompt: str) -> None:
    with pytest.raises(Invalid) as caught:
        list(generate(made("sd1"), request(prompt=prompt)))
    assert caught.value.field == "prompt"


def test_a_size_that_is_no_multiple_names_the_next(made: Any) -> None:
    with pytest.raises(Invalid, match="give 16 or 24") as caught:
        Painter(made("sd1")).join("a", request(width=20))
    assert caught.value.field == "image.width"


def test_too_many_steps_for_lcm_are_refused(made: Any) -> None:
    with pytest.raises(Invalid) as caught:
        Painter(made("sd1")).join("a", request(scheduler="lcm", steps=60))
    assert caught.value.field == "image.steps"


def test_pixels_times_lanes_must_fit(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made("sd1")
    monkeypatch.setattr(opened_module.memory, "available", lambda: 500_000_000)
    Painter(model).join("a", request(width=64, height=64))
    with pytest.raises(OutOfMemory) as caught:
        Painter(model).join("a", request(width=512, height=512, count=8))
    assert caught.value.field == "image.count"


def test_previews_look_like_the_pictures(made: Any) -> None:
    """The starter's last previews beside its pictures made small: the colours agree as well as a linear map
    can have it (the best one for these very pictures is 18 of 255 off on average)."""
    events = list(generate(made("starter"), request((Lane("base"),), prompt="a red apple", steps=8, count=4)))
    shown = of(events, Preview)
    assert [e.step for e in shown if e.index == 0] == list(range(1, 9))
    off = []
    for preview, picture in zip(shown[-4:], of(events, Picture), strict=True):
        last = np.array(Image.open(io.BytesIO(base64.b64decode(preview.data)))).astype(float)
        whole = Image.open(io.BytesIO(picture.png)).resize((16, 16), Image.Resampling.BOX)
        assert last.shape == (16, 16, 3)
        beside = np.array(whole).astype(float)
        assert np.corrcoef(last.ravel(), beside.ravel())[0, 1] > 0.8
        off.append(np.abs(last - beside).mean())
    assert np.mean(off) < 30


def test_the_colour_map_is_made_once(made: Any) -> None:
    model = made("starter")
    assert colour_map(model) is colour_map(model)


def test_a_picture_that_is_not_finite_is_no_picture(made: Any) -> None:
    with pytest.raises(BrokenNumbers):
        decode(made("sd1"), torch.full((1, 4, 8, 8), float("nan")), [Recipe()])
