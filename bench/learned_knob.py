"""What a learned knob does to pictures it was not learned for, measured: `python -m bench.learned_knob`.

Learns orange ↔ blue on the starter, as the page's example sets it, and draws sixteen other things at five
turns from the same noise. Told is red minus blue of what is not white, from −1 to 1, with a 95 % interval.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.image import STARTER, loaded
from bench.knobs import drawn
from imfine.core.image.sampling import ImageSampling
from imfine.core.recipe import Recipe
from imfine.core.train.sliders.named import learn_named
from imfine.core.train.sliders.slider import Slider

SLIDER = Slider(
    "orange",
    "blue",
    ("heart", "car", "flower", "book", "hat", "ball"),
    steps=70,
    lr=3e-3,
    eta=1.5,
    count=12,
)
OTHERS = (
    "apple", "shirt", "fish", "bird", "cup", "house", "star", "tree",
    "dog", "chair", "umbrella", "bag", "leaf", "boat", "shoe", "bell",
)  # fmt: skip
NAME, VALUES, SEED = "warmth", (-2.0, -1.0, 0.0, 1.0, 2.0), 100
WHITE = 0.92


def redness(picture: np.ndarray) -> float:
    """(H, W, 3) of 0 to 255."""
    pixels = picture / 255
    seen = pixels.min(-1) < WHITE
    return float((pixels[..., 0] - pixels[..., 2])[seen].mean()) if seen.any() else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheet", type=Path, help="a PNG to write the pictures to, a row a prompt")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-knob-") as home:
        os.environ["IMFINE_HOME"] = home
        *_, end = learn_named(str(STARTER), SLIDER, NAME)
        model: Any = loaded(STARTER)
        recipes = [Recipe.parse({"deltas": {NAME: value}}) for value in VALUES]
        rows = []
        for i, prompt in enumerate(OTHERS):
            sampling = ImageSampling(steps=12, guidance=3.0, seed=SEED + i, previews=False)
            rows.append(drawn(model, recipes, prompt, sampling))
    told = np.array([[redness(picture) for picture in row] for row in rows])  # (prompts, values)
    print(f"{SLIDER.plus} ↔ {SLIDER.minus}: {end.steps} steps in {end.seconds:.0f} s\n")
    print("| knob | red − blue |\n|---|---|")
    for value, column in zip(VALUES, told.T, strict=True):
        print(f"| {value:+g} | {column.mean():.2f} ± {1.96 * column.std(ddof=1) / len(column) ** 0.5:.2f} |")
    print(f"\n{(told[:, -1] > told[:, 0]).sum()} of {len(told)} went up")
    if args.sheet:
        Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows])).save(args.sheet)


if __name__ == "__main__":
    main()
