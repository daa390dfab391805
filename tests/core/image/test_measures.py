"""Each measure by what it must say of pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from imfine.core.image import measures

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, 256, (32, 32, 3), dtype=np.uint8)
GREY = np.full((32, 32, 3), 128, np.uint8)


def test_the_same_picture_differs_in_nothing() -> None:
    assert measures.ssim(NOISE, NOISE) == pytest.approx(1)
    assert measures.difference(NOISE, NOISE) == 0


def test_ssim_is_wangs_over_every_window() -> None:
    x, y = (RANDOM.integers(0, 256, (9, 12, 3), dtype=np.uint8) for _ in range(2))
    y[:5] = x[:5]  # some windows alike, some not
    found = []
    for top in range(9 - 6):
        for left in range(12 - 6):
            a, b = (measures.luma(each)[top : top + 7, left : left + 7].ravel() for each in (x, y))
            (va, vab), (_, vb) = np.cov(a, b)
            means = (2 * a.mean() * b.mean() + 2.55**2) / (a.mean() ** 2 + b.mean() ** 2 + 2.55**2)
            found.append(means * (2 * vab + 7.65**2) / (va + vb + 7.65**2))
    assert measures.ssim(x, y) == pytest.approx(np.mean(found))


def test_black_beside_white_is_all_the_difference_there_is() -> None:
    black, white = np.zeros_like(GREY), np.full_like(GREY, 255)
    assert measures.difference(black, white) == 1
    assert measures.ssim(black, white) < 0.01


def test_more_noise_is_less_alike() -> None:
    little, much = (np.clip(GREY + RANDOM.normal(0, s, GREY.shape), 0, 255).astype(np.uint8) for s in (2, 60))
    assert 1 > measures.ssim(GREY, little) > measures.ssim(GREY, much)


def test_colourfulness_is_hasler_and_suesstrunks() -> None:
    assert measures.colourfulness(GREY) == 0
    red = np.zeros_like(GREY)
    red[..., 0] = 255
    assert measures.colourfulness(red) == pytest.approx(0.3 * np.hypot(255, 127.5))
    halves = red.copy()
    halves[16:] = (0, 255, 0)
    rg, yb = np.array([255.0, -255.0]), np.array([127.5, 127.5])
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert measures.colourfulness(halves) == pytest.approx(expected)


def test_sharpness_grows_with_edges() -> None:
    assert measures.sharpness(GREY) == 0
    edge = GREY.copy()
    edge[:, 16:] = 255
    soft = GREY.copy()
    soft[:, 24:] = 255
    soft[:, 8:24] = np.linspace(128, 255, 16, dtype=np.uint8)[None, :, None]
    assert measures.sharpness(edge) > measures.sharpness(soft) > 0


@pytest.mark.parametrize("side", [1, 2, 4, 6])
def test_tiny_pictures_have_measures_too(side: int) -> None:
    tiny = NOISE[:side, :side]
    assert measures.ssim(tiny, tiny) == pytest.approx(1)
    assert measures.sharpness(tiny) >= 0
