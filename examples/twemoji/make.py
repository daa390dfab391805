"""Makes learn/, 96 emoji in another style than emoji-diffusion's, and held-out/, 48 that are kept back.

    .venv/bin/python examples/twemoji/make.py [--work DIR]

    learn/1f602.png, learn/metadata.jsonl     {"file_name": "1f602.png", "text": "face with tears of joy"}
    held-out/{twemoji,noto}/1f97a.png         the same emoji in both styles
    held-out/prompts.jsonl                    {"file_name": "1f97a.png", "en": …, "ko": …, "kind": "face"}

The starter has learned Noto's emoji; these are Twemoji's (graphics © Twitter, Inc and other contributors,
CC-BY 4.0), flat where Noto's are round. A caption is the emoji's English name, one of those that the starter
was trained with. Learned are faces and flags, since these the starter draws recognisably; kept back are
other faces and flags, and animals and food, of which nothing is learned.

npm's @twemoji/svg has the drawings, and PyPI's resvg-py draws them, from a folder that nothing installs;
names and Noto's pictures come as the starter's own make.py fetches them. Which emoji are taken follows from
a seed. Knows nothing of models.
"""

from __future__ import annotations

import importlib
import io
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "starters/emoji-diffusion")]

import making  # noqa: E402
from emojis import SIZE, Emoji, Pixels, emojis  # noqa: E402

TWEMOJI = "@twemoji/svg@15.0.0"
HASH = "1d2907557a422c7c4e3feca50ef915c39da1db3d76b4a4d7e73fb59bce4403c3"
RENDERER = "resvg-py==0.5.0"
KINDS = {0: "face", 9: "flag", 3: "other", 4: "other"}  # by emojibase's group
LEARN = {"face": 48, "flag": 48, "other": 0}
HELD_OUT = 16  # of each kind
SEED = 2014  # the year of Twemoji
INNER = 60  # pixels that a drawing fills of SIZE, as Noto's do
LARGER = 4  # times, before it is scaled down as Noto's are
ALIKE = 3.0  # mean difference of two pictures, of 255, below which they are one: Chad's and Romania's flags


def main() -> None:
    with making.work_folder(__doc__) as folder:
        pictures = drawn(folder, [each for each in emojis(folder / "noto") if each.group in KINDS])
    dice = random.Random(SEED)  # noqa: S311 - a choice to be made again, not a secret
    learn, kept = HERE / "learn", HERE / "held-out"
    for each in (learn, kept):
        shutil.rmtree(each, ignore_errors=True)
    rows, prompts = [], []
    for kind, count in LEARN.items():
        found = [(emoji, pixels) for emoji, pixels in pictures if KINDS[emoji.group] == kind]
        chosen = dice.sample(distinct(found), count + HELD_OUT)
        for emoji, pixels in chosen[HELD_OUT:]:
            save(pixels, learn / file_name(emoji))
            rows.append({"file_name": file_name(emoji), "text": emoji.labels[0]})
        for emoji, pixels in chosen[:HELD_OUT]:
            save(pixels, kept / "twemoji" / file_name(emoji))
            save(emoji.pixels, kept / "noto" / file_name(emoji))
            en, ko = emoji.labels
            prompts.append({"file_name": file_name(emoji), "en": en, "ko": ko, "kind": kind})
    making.write_rows(learn / "metadata.jsonl", rows)
    making.write_rows(kept / "prompts.jsonl", prompts)


def drawn(folder: Path, found: list[Emoji]) -> list[tuple[Emoji, Pixels]]:
    """Of the starter's emoji those that Twemoji has, with its picture of each."""
    making.npm(TWEMOJI, HASH, folder)
    renderer = renderer_in(folder / "renderer")
    pictures = []
    for emoji in found:
        for text in (emoji.text, emoji.text.replace("\ufe0f", "")):  # it writes few variation selectors
            file = folder / "package" / f"{code(text)}.svg"
            if file.exists():
                pictures.append((emoji, draw(renderer, file)))
                break
    return pictures


def renderer_in(folder: Path) -> Any:
    if not folder.exists():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder.name)
        making.run(*pip, RENDERER, cwd=folder.parent)
    sys.path.insert(0, str(folder))
    return importlib.import_module("resvg_py")


def draw(renderer: Any, file: Path) -> Pixels:
    """(SIZE, SIZE, 3) on white."""
    side = INNER * LARGER
    png = renderer.svg_to_bytes(svg_path=str(file), width=side, height=side, skip_system_fonts=True)
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE * LARGER, SIZE * LARGER), "white")
    at = ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2)
    canvas.alpha_composite(picture, at)
    return np.asarray(canvas.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def distinct(found: list[tuple[Emoji, Pixels]]) -> list[tuple[Emoji, Pixels]]:
    """Without those that look like an earlier one: what is kept back shall not have been learned."""
    small = np.array([pixels for _, pixels in found], np.int16)[:, ::2, ::2]  # quicker, and enough
    kept: list[int] = []
    for i, pixels in enumerate(small):
        if not kept or np.abs(small[kept] - pixels).mean((1, 2, 3)).min() >= ALIKE:
            kept.append(i)
    return [found[i] for i in kept]


def code(text: str) -> str:
    return "-".join(f"{ord(character):x}" for character in text)


def file_name(emoji: Emoji) -> str:
    return f"{code(emoji.text)}.png"


def save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)


if __name__ == "__main__":
    main()
