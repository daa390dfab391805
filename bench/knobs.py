"""What TONE and STYLE do to pictures, measured: `python -m bench.knobs [--sd-1.5]`. Their formulas stand in
`imfine/core/families/tones.py`; how fast they are is not asked here.

The starter draws four emoji; Stable Diffusion 1.5's shape, with random weights, a pattern of 256 × 256.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from bench.image import STARTER, loaded
from bench.shapes import drawing_sd15
from imfine.core.events import Picture
from imfine.core.image import measures
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.core.image.kept import Kept
from imfine.core.recipe import Recipe

VALUES = (-1.0, -0.5, 0.0, 0.5, 1.0)
PROMPTS = ("a red apple", "a cat", "노란 별", "a blue house")
SEED = 5


def drawn(model: Any, recipes: Sequence[Recipe], prompt: str, sampling: ImageSampling) -> list[np.ndarray]:
    lanes = tuple(Lane(f"{i}", recipe) for i, recipe in enumerate(recipes))
    events = generate(replace(model, kept=Kept()), ImageRequest(lanes, prompt, sampling))
    return [np.array(Image.open(io.BytesIO(e.png)).convert("RGB")) for e in events if isinstance(e, Picture)]


def tell(model: Any, prompts: tuple[str, ...], sampling: ImageSampling) -> None:
    print("| knob | at | colourfulness | sharpness | brightness | alike (SSIM) |\n|---|---|---|---|---|---|")
    for knob in ("tone", "style"):
        recipes = [Recipe.parse({knob: value}) for value in VALUES]
        series = [drawn(model, recipes, prompt, sampling) for prompt in prompts]
        own = [pictures[VALUES.index(0.0)] for pictures in series]
        for i, value in enumerate(VALUES):
            ours = [pictures[i] for pictures in series]
            colour, sharp, bright = (
                np.mean([measure(each) for each in ours])
                for measure in (measures.colourfulness, measures.sharpness, lambda p: measures.luma(p).mean())
            )
            alike = np.mean([measures.ssim(a, b) for a, b in zip(own, ours, strict=True)])
            print(
                f"| {knob.upper()} | {value:+g} | {colour:.1f} | {sharp:.0f} | {bright:.1f} | {alike:.3f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sd-1.5", action="store_true", dest="sd15", help="its shape, with random weights")
    if parser.parse_args().sd15:
        sampling = ImageSampling(steps=2, guidance=3.0, seed=SEED, width=256, height=256, previews=False)
        tell(drawing_sd15(), PROMPTS[:1], sampling)
    else:
        tell(loaded(STARTER), PROMPTS, ImageSampling(steps=20, guidance=3.0, seed=SEED, previews=False))


if __name__ == "__main__":
    main()
