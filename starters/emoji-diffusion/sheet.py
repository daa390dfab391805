"""Paints the card's pictures: 40 prompts, half Korean, half combinations that no picture was ever named by.

    python starters/emoji-diffusion/sheet.py [--model DIR] [--font FILE]

The first picture of each prompt, not chosen: 20 steps of DDIM, guidance 3, the seed that measure.py uses. The
prompts stand under the pictures in a font that has Hangul. Writes samples.png beside the model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import painter
import torch
from PIL import Image, ImageDraw, ImageFont

from imfine.core.image.decode import decode
from imfine.core.recipe import Recipe

HERE = Path(__file__).parent
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")  # Debian's fonts-noto-cjk
SEED = 64
COLUMNS, CELL, LABEL, EDGE, TITLE = 10, 104, 34, 6, 30  # pixels
PICTURE = 88
COLOURS = 192  # of the PNG's palette
PROMPTS = {
    "seen": (
        "red apple",
        "cat face",
        "grinning face",
        "pizza",
        "rocket",
        "red heart",
        "house",
        "bicycle",
        "octopus",
        "flag: Japan",
    ),
    "본 것": (
        "웃는 얼굴",
        "강아지 얼굴",
        "수박",
        "자동차",
        "눈사람",
        "장미꽃",
        "해바라기",
        "책 여러 권",
        "깃발: 대한민국",
        "생일 케이크",
    ),
    "unseen": (
        "a blue cat",
        "a green dog",
        "a pink elephant",
        "a red moon",
        "an orange whale",
        "a yellow car",
        "a purple house",
        "a blue tree",
        "a cat with sunglasses",
        "a crying pumpkin",
    ),
    "못 본 것": (
        "보라색 사과",
        "파란색 딸기",
        "분홍색 개구리",
        "노란색 토끼",
        "빨간색 레몬",
        "초록색 돼지",
        "주황색 곰",
        "보라색 물고기",
        "왕관을 쓴 펭귄",
        "웃는 사과",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=HERE, help="folder of the model (this one)")
    parser.add_argument("--font", type=Path, default=FONT, help="a font with Hangul")
    args = parser.parse_args()
    prompts = [prompt for row in PROMPTS.values() for prompt in row]
    model = painter.load(args.model)
    latents = painter.paint(model, [(prompt, SEED + i) for i, prompt in enumerate(prompts)])
    with torch.inference_mode():
        pixels = decode(model, latents, [Recipe()] * len(prompts))
    sheet(pixels, prompts, args.font).save(args.model / "samples.png", optimize=True)


def sheet(pixels: np.ndarray, prompts: list[str], font: Path) -> Image.Image:
    """(N, H, W, 3) and their prompts -> a picture with a palette, small enough for a card."""
    rows = -(-len(prompts) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * CELL + 2 * EDGE, rows * (PICTURE + LABEL + EDGE) + EDGE), "white")
    pen = ImageDraw.Draw(canvas)
    for i, prompt in enumerate(prompts):
        left, top = EDGE + i % COLUMNS * CELL, EDGE + i // COLUMNS * (PICTURE + LABEL + EDGE)
        picture = Image.fromarray(pixels[i]).resize((PICTURE, PICTURE), Image.Resampling.LANCZOS)
        canvas.paste(picture, (left + (CELL - PICTURE) // 2, top))
        lines = wrapped(prompt, ImageFont.truetype(str(font), 12), CELL - 4)
        pen.multiline_text(
            (left + CELL / 2, top + PICTURE + 2),
            lines,
            fill="#333333",
            font=ImageFont.truetype(str(font), 12),
            anchor="ma",
            align="center",
            spacing=0,
        )
    return canvas.quantize(COLOURS, dither=Image.Dither.NONE)


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


if __name__ == "__main__":
    main()
