"""How often emoji-diffusion draws the very emoji that it was asked for: retrieval among all of them.

    python starters/emoji-diffusion/measure.py --work DIR [--model DIR]

A drawn picture's latents are held against those of every emoji (encoded by the same VAE); the nearest is what
it is taken for. Measured on 200 emoji drawn by lot, from their label, in each language: they were learned
from, so this says how well the model remembers, not what it makes of new words. For that there are the pairs
of colour and noun that no tint had in training: the nearest of all emoji, and of all tints of these nouns,
has to be of that noun, and of that colour. Writes evaluation.json beside the model, and reference.png, the
emoji that the sheet's first 20 prompts name, for the tests, which have no network.
Knows nothing of how the model was trained.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path
from typing import Any

import emojis
import numpy as np
import painter
import torch
import vae as vaes
from make import HERE, as_tensor
from PIL import Image
from sheet import PROMPTS
from torch import Tensor

SEED = 64
EMOJI = 200
REPEATS = 5  # seeds of a pair of colour and noun
Hits = list[bool]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the packages, as make.py's")
    parser.add_argument("--model", type=Path, default=HERE, help="folder of the model (this one)")
    args = parser.parse_args()
    model = painter.load(args.model)
    found = emojis.emojis(args.work / "packages")
    report = {
        "settings": {"steps": 20, "guidance": 3, "scheduler": "ddim", "seed": SEED},
        "retrieval": retrieval(model, found),
        "unseen_colours": unseen(model, found),
    }
    path = args.model / "evaluation.json"
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    named = [next(e for e in found if prompt in e.labels) for prompt in PROMPTS["seen"] + PROMPTS["본 것"]]
    Image.fromarray(np.concatenate([each.pixels for each in named], 1)).save(args.model / "reference.png")
    print(json.dumps(report))


def latents_of(model: Any, pictures: list[emojis.Pixels]) -> Tensor:
    """(N, D), scaled."""
    return vaes.encode(model.vae, as_tensor(pictures)).flatten(1) * model.vae.config.scaling_factor


def retrieval(model: Any, found: list[emojis.Emoji]) -> dict[str, Any]:
    """Top 1 and top 5 among `found`, by language."""
    known = latents_of(model, [each.pixels for each in found])
    chosen = random.Random(SEED).sample(range(len(found)), EMOJI)  # noqa: S311 - a draw to be repeated
    report: dict[str, Any] = {"among": len(found)}
    for side, language in enumerate(emojis.LANGUAGES):
        ranks = ranked(model, known, [(index, found[index].labels[side]) for index in chosen])
        report[language] = {f"top_{k}": rate([rank < k for rank in ranks]) for k in (1, 5)}
    return report


def ranked(model: Any, known: Tensor, asked: list[tuple[int, str]]) -> list[int]:
    """For each asked emoji how many others are nearer to what was drawn. An emoji with the very same picture
    is no other."""
    drawn = painter.paint(model, [(prompt, SEED + i) for i, (_, prompt) in enumerate(asked)]).flatten(1)
    distances = torch.cdist(drawn, known)  # (N, all)
    own = distances[torch.arange(len(asked)), [index for index, _ in asked]]
    return [int(n) for n in (distances < own[:, None] - 1e-3).sum(1)]


def unseen(model: Any, found: list[emojis.Emoji]) -> dict[str, Any]:
    """Pairs of colour and noun that were held out: is the nearest of all emoji and of the nouns' tints of the
    noun, and of the colour?"""
    known: list[tuple[emojis.Emoji, str | None]] = [(each, None) for each in found]
    nouns = [noun for _, noun, _ in emojis.UNSEEN]
    known += [(e, c) for e in found if any(e.is_a(noun) for noun in nouns) for c in emojis.COLOURS]
    latents = latents_of(
        model, [each.pixels if c is None else emojis.tint(each.pixels, c) for each, c in known]
    )
    report: dict[str, Any] = {"pairs": len(emojis.UNSEEN), "among": len(known)}
    for side, language in enumerate(emojis.LANGUAGES):
        asked = [pair for pair in emojis.UNSEEN for _ in range(REPEATS)]
        prompts = [
            f"{'a ' * (side == 0)}{emojis.COLOURS[c].words[side][0]} {names[side]}" for c, *names in asked
        ]
        drawn = painter.paint(model, [(prompt, SEED + i) for i, prompt in enumerate(prompts)]).flatten(1)
        nearest = [known[int(i)] for i in torch.cdist(drawn, latents).argmin(1)]
        right_colour = [seen[1] == pair[0] for seen, pair in zip(nearest, asked, strict=True)]
        right_noun = [seen[0].is_a(pair[1]) for seen, pair in zip(nearest, asked, strict=True)]
        both = [c and n for c, n in zip(right_colour, right_noun, strict=True)]
        report[language] = {"colour": rate(right_colour), "noun": rate(right_noun), "both": rate(both)}
    return report


def rate(hits: Hits) -> dict[str, float]:
    """The share in percent and its 95 % interval (Wilson's score)."""
    n, z = len(hits), 1.96
    p = sum(hits) / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"percent": round(100 * p, 1), "low": round(100 * low, 1), "high": round(100 * high, 1), "n": n}


if __name__ == "__main__":
    main()
