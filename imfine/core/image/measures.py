"""What can be told of a picture by numbers. None of it is quality, and none is called so. Knows no model."""

from __future__ import annotations

import numpy as np

LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # Rec. 601


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004, on luma, over every window of 7 × 7 pixels with equal weights,
    as scikit-image has it) of two uint8 (H, W, 3): 1 is the same.

    Says how alike two pictures are in local brightness, contrast and structure. Not whether they show the
    same thing: a shifted cat is far from itself. Pictures under 7 pixels a side use a smaller window.
    """
    side = min(7, *a.shape[:2])
    side -= 1 - side % 2  # the window is odd
    if side < 3:
        return 1.0 if np.array_equal(a, b) else 0.0
    x, y = luma(a), luma(b)
    mx, my = _mean_of_windows(x, side), _mean_of_windows(y, side)
    unbiased = side**2 / (side**2 - 1)
    vx = unbiased * (_mean_of_windows(x * x, side) - mx * mx)
    vy = unbiased * (_mean_of_windows(y * y, side) - my * my)
    vxy = unbiased * (_mean_of_windows(x * y, side) - mx * my)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(alike.mean())


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of all channels, 0 (the same) to 1 (black beside white). Not perceptual: a
    small shift of a fine pattern counts as much as another picture."""
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean() / 255)


def colourfulness(pixels: np.ndarray) -> float:
    """Hasler & Süsstrunk 2003 (M³): spread and distance from grey in opponent colours; 0 is grey, around 15
    slightly, 45 averagely, over 80 very colourful as people judged photographs. Not saturation, and not
    whether colours are right; white ground counts as grey."""
    r, g, b = (pixels[..., i].astype(np.float64) for i in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    spread = np.hypot(rg.std(), yb.std())
    mean = np.hypot(rg.mean(), yb.mean())
    return float(spread + 0.3 * mean)


def sharpness(pixels: np.ndarray) -> float:
    """Variance of the Laplacian of luma (0–255): more edges and grain, higher. Depends on what is shown and
    on size, so compare it only between pictures of one prompt and size; noise counts as sharp."""
    y = luma(pixels)
    if min(y.shape) < 3:
        return 0.0
    inner = y[1:-1, 1:-1]
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def luma(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> float64 (H, W)."""
    grey: np.ndarray = pixels.astype(np.float64) @ np.array(LUMA_WEIGHTS)
    return grey


def _mean_of_windows(values: np.ndarray, side: int) -> np.ndarray:
    """float64 (H, W) -> (H − side + 1, W − side + 1), by sums over all that is above and to the left."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    rows = sums[side:] - sums[:-side]
    windows: np.ndarray = rows[:, side:] - rows[:, :-side]
    return windows / side**2
