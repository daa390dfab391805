"""Our painting against diffusers' pipeline on one model: `python -m bench.image --help`."""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from bench.harness import Pair, in_turns, line
from bench.shapes import STARTERS, sd15
from imfine.core.events import Picture, PictureResult, Preview
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.core.image.kept import Kept
from imfine.core.models.load import load
from imfine.core.models.load_image import LoadedImageModel
from imfine.core.recipe import Recipe

PROMPT, SEED = "a red apple", 5
BOTH = (Lane("base"), Lane("tuned", Recipe(attn=1.1, mlp=0.95)))
STARTER = STARTERS / "emoji-diffusion"


def loaded(path: Path) -> LoadedImageModel:
    return next(step for step in load(str(path), dtype="float32") if isinstance(step, LoadedImageModel))


def ours(model: Any, lanes: tuple[Lane, ...], steps: int, *, previews: bool = False) -> Callable[[], None]:
    """Every lane's pictures and their measures, with nothing kept."""
    sampling = ImageSampling(steps=steps, scheduler="ddim", guidance=3.0, seed=SEED, previews=previews)

    def work() -> None:
        events = list(generate(replace(model, kept=Kept()), ImageRequest(lanes, PROMPT, sampling)))
        assert isinstance(events[-1], PictureResult)

    return work


def moved(model: Any, steps: int) -> Callable[[], None]:
    """A slider's move: the original is kept, the recipe is one never seen before."""
    kept = Kept()
    model, count = replace(model, kept=kept), iter(range(10**9))
    sampling = ImageSampling(steps=steps, guidance=3.0, seed=SEED, previews=False)
    list(generate(model, ImageRequest((Lane("base"),), PROMPT, sampling)))

    def work() -> None:
        recipe = Recipe(attn=1.1 + next(count) / 1000)
        lanes = (Lane("base"), Lane("tuned", recipe))
        pictures = [
            e for e in generate(model, ImageRequest(lanes, PROMPT, sampling)) if isinstance(e, Picture)
        ]
        assert len(pictures) == 2

    return work


def theirs(model: Any, steps: int) -> Callable[[], None]:
    """diffusers' pipeline over a copy of the weights."""
    pipe = StableDiffusionPipeline(
        unet=copy.deepcopy(model.unet).to(memory_format=torch.contiguous_format),
        vae=copy.deepcopy(model.vae).to(memory_format=torch.contiguous_format),
        text_encoder=copy.deepcopy(model.text_encoders[0]),
        tokenizer=model.tokenizers[0],
        scheduler=DDIMScheduler.from_config(model.scheduler_config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)

    def work() -> None:
        generator = torch.Generator().manual_seed(SEED)
        pipe(PROMPT, generator=generator, num_inference_steps=steps, guidance_scale=3.0)

    return work


def after_a_move(model: Any, steps: int, n: int) -> tuple[float, float]:
    """Median seconds to the tuned lane's first preview, and to its picture."""
    model = replace(model, kept=Kept())
    sampling = ImageSampling(steps=steps, guidance=3.0, seed=SEED)
    first, last = [], []
    for i in range(n + 1):
        lanes = (Lane("base"), Lane("tuned", Recipe(attn=1.2 + i / 1000)))
        start, seen = time.perf_counter(), False
        for event in generate(model, ImageRequest(lanes, PROMPT, sampling)):
            if isinstance(event, Preview) and not seen:
                seen = True
                first.append(time.perf_counter() - start)
            if isinstance(event, Picture) and event.lane == 1:
                last.append(time.perf_counter() - start)
    return statistics.median(first[1:]), statistics.median(last[1:])  # the first also paints the original


def tell(name: str, pair: Pair, wanted: str) -> None:
    print(line(name, pair, wanted=wanted, invert=True), flush=True)


def headed(model: str, dtype: str, steps: int) -> None:
    print(f"{model}, {dtype}, {steps} steps, {torch.get_num_threads()} threads\n")
    print(
        "| what | ours | theirs | ratio (least–most) | wanted | pairs |\n|---|---|---|---|---|---|",
        flush=True,
    )


def of_sd15(steps: int, n: int) -> None:
    """Its shape, 512 × 512: a call takes half a minute and more, so only what matters most."""
    headed("Stable Diffusion 1.5's shape", "bfloat16", steps)
    model = sd15()
    pair = in_turns(ours(model, BOTH, steps), theirs(model, steps), n)
    tell("original and tuned: time, in diffusers calls", pair, "≤ 2.05")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=STARTER)
    parser.add_argument("--sd-1.5", action="store_true", dest="sd15", help="its shape, with random weights")
    parser.add_argument("--steps", type=int)
    parser.add_argument("-n", type=int, help="pairs")
    args = parser.parse_args()
    if args.sd15:
        of_sd15(args.steps or 4, args.n or 3)
        return
    n, steps = args.n or 7, args.steps or 20

    model, untuned = loaded(args.model), loaded(args.model)  # `untuned` never sees a recipe
    pipeline = theirs(untuned, steps)
    base = BOTH[:1]
    headed(args.model.name, "float32", steps)
    tell("one lane: time, in diffusers calls", in_turns(ours(untuned, base, steps), pipeline, n), "–")
    tell(
        "original and tuned: time, in diffusers calls",
        in_turns(ours(model, BOTH, steps), pipeline, n),
        "≤ 1.9",
    )
    tell(
        "a move, the original kept: time, to ours without gains",
        in_turns(moved(model, steps), ours(untuned, base, steps), n),
        "≤ 1.05",
    )
    tell(
        "with previews: time, to that without",
        in_turns(ours(untuned, base, steps, previews=True), ours(untuned, base, steps), n),
        "≤ 1.05",
    )
    first, last = (each * 1e3 for each in after_a_move(model, steps, n))
    print(f"\nAfter a move: first preview {first:.0f} ms (wanted < 300), picture {last:.0f} ms (< 2000)")


if __name__ == "__main__":
    main()
