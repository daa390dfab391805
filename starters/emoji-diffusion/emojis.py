"""What emoji-diffusion learns from: Noto's emoji as pictures, their names and tags as captions.

Fetches the font (Debian) and the names (npm) and unpacks them without installing anything. A tint is a copy
of an emoji in one colour, so that a colour word means a colour and not the few emoji that have it in their
name; the pairs of `UNSEEN` are never tinted, so that the card can show what the model makes of what it never
saw. Knows no latents, tokens or models.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

SIZE = 64  # pixels
STRIKE = 109  # the one size in pixels that the font has bitmaps of
CANVAS = 136  # their width
LANGUAGES = ("en", "ko")
Pixels = npt.NDArray[np.uint8]

# the class words of emojibase's groups; what has no group are the letters that flags are made of
CLASSES = {
    0: ("face", "얼굴"),
    1: ("person", "사람"),
    2: ("part", "부분"),
    3: ("animal", "동물"),
    4: ("food", "음식"),
    5: ("place", "장소"),
    6: ("activity", "활동"),
    7: ("object", "사물"),
    8: ("symbol", "기호"),
    9: ("flag", "깃발"),
}
TINTED = (0, 3, 4, 5, 6, 7)  # a person, a symbol or a flag in another colour would be another one


class Colour(NamedTuple):
    rgb: tuple[int, int, int]  # 0 to 255
    words: tuple[tuple[str, ...], tuple[str, ...]]  # as English and Korean put them before a noun


COLOURS = {
    "red": Colour((221, 46, 68), (("red",), ("빨간색", "빨간"))),
    "orange": Colour((244, 144, 12), (("orange",), ("주황색",))),
    "yellow": Colour((253, 203, 60), (("yellow",), ("노란색", "노란"))),
    "green": Colour((80, 160, 60), (("green",), ("초록색", "녹색"))),
    "blue": Colour((40, 110, 220), (("blue",), ("파란색", "파란"))),
    "purple": Colour((150, 80, 200), (("purple",), ("보라색",))),
    "pink": Colour((244, 130, 180), (("pink",), ("분홍색", "핑크색"))),
    "brown": Colour((140, 90, 60), (("brown",), ("갈색",))),
    "grey": Colour((140, 140, 140), (("gray", "grey"), ("회색",))),
}
UNSEEN = (
    ("blue", "cat", "고양이"),
    ("green", "dog", "개"),
    ("pink", "elephant", "코끼리"),
    ("red", "moon", "달"),
    ("orange", "whale", "고래"),
    ("yellow", "car", "자동차"),
    ("purple", "house", "집"),
    ("blue", "tree", "나무"),
    ("green", "horse", "말"),
    ("purple", "apple", "사과"),
    ("blue", "strawberry", "딸기"),
    ("pink", "frog", "개구리"),
    ("yellow", "rabbit", "토끼"),
    ("red", "lemon", "레몬"),
    ("green", "pig", "돼지"),
    ("orange", "bear", "곰"),
    ("purple", "fish", "물고기"),
    ("brown", "balloon", "풍선"),
)


class Emoji(NamedTuple):
    text: str
    group: int
    labels: tuple[str, str]  # English, Korean
    tags: tuple[tuple[str, ...], tuple[str, ...]]
    pixels: Pixels  # (SIZE, SIZE, 3) on white

    def is_a(self, word: str) -> bool:
        """Whether its English label or tags hold the word."""
        return any(re.search(rf"\b{word}\b", text.lower()) for text in (self.labels[0], *self.tags[0]))


def emojis(folder: Path) -> list[Emoji]:
    """Every emoji of emojibase that the font draws as one picture, in Unicode's order, without skin tones."""
    fetch(folder)
    path = folder / "debian/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
    font = ImageFont.truetype(str(path), STRIKE, layout_engine=ImageFont.Layout.RAQM)
    english, korean = (
        {entry["hexcode"]: entry for entry in json.loads((folder / f"package/{name}/data.json").read_text())}
        for name in LANGUAGES
    )
    found = []
    for code, entry in english.items():
        text, both = entry["emoji"], (entry, korean[code])
        drawn = font.getmask(text, mode="RGBA").getbbox() is not None
        if entry.get("group") not in CLASSES or not drawn or font.getlength(text) > CANVAS:
            continue
        labels = (both[0]["label"], both[1]["label"])
        tags = (tuple(both[0].get("tags", ())), tuple(both[1].get("tags", ())))
        found.append(Emoji(text, entry["group"], labels, tags, draw(text, font)))
    return found


def fetch(folder: Path) -> None:
    done = folder / "fetched"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    run("apt-get", "download", "fonts-noto-color-emoji", cwd=folder)
    run("npm", "pack", "--silent", "emojibase-data@17.0.0", cwd=folder)
    for deb in folder.glob("*.deb"):
        run("dpkg", "-x", deb.name, "debian", cwd=folder)
    for archive in folder.glob("*.tgz"):
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    done.touch()


def run(*command: str, cwd: Path) -> None:
    """A `CalledProcessError` names the command that failed."""
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, input=b"")  # noqa: S603


def draw(text: str, font: ImageFont.FreeTypeFont) -> Pixels:
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    left, top, right, bottom = font.getbbox(text)
    at = ((CANVAS - left - right) / 2, (CANVAS - top - bottom) / 2)
    ImageDraw.Draw(canvas).text(at, text, font=font, embedded_color=True)
    return np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def tintable(emoji: Emoji, colour: str) -> bool:
    """Not where the colour was held out, nor where the emoji's own name says a colour."""
    if emoji.group not in TINTED or any(emoji.is_a(word) for word in (*COLOURS, "black", "white", "color")):
        return False
    return not any(emoji.is_a(word) for held_out, word, _ in UNSEEN if held_out == colour)


def tint(pixels: Pixels, colour: str) -> Pixels:
    """Every pixel keeps its lightness and takes the colour's hue: black to the colour to white, the colour
    standing where the picture is as light as its median."""
    rgb = np.array(COLOURS[colour].rgb) / 255
    light = pixels / 255 @ np.array([0.299, 0.587, 0.114])  # (H, W)
    at = np.clip(np.median(light[light < 0.95]), 0.3, 0.8)  # a ramp too steep would lose what is drawn
    below = np.clip(light / at, 0, 1)[..., None] * rgb
    above = np.clip((light - at) / (1 - at), 0, 1)[..., None] * (1 - rgb)
    return ((below + above) * 255).round().astype(np.uint8)


def caption(emoji: Emoji, dice: random.Random, colour: str | None = None) -> str:
    """One of the ways to ask for an emoji, in English or Korean; now and then nothing, for the guidance."""
    chance = dice.random()
    if chance < 0.1:
        return ""
    language = dice.randrange(2)
    label, tags = emoji.labels[language], emoji.tags[language]
    article = "a " if language == 0 and dice.random() < 0.3 else ""
    if colour is not None:
        noun = dice.choice(tags) if tags and dice.random() < 0.5 else label
        return f"{article}{dice.choice(COLOURS[colour].words[language])} {noun}"
    if not tags or chance < 0.6:
        return f"{article}{label}"
    if chance < 0.75:
        return ", ".join(dice.sample(tags, min(len(tags), dice.randint(1, 3))))
    if chance < 0.9:
        return f"{label}, {dice.choice(tags)}"
    return f"{CLASSES[emoji.group][language]}: {dice.choice((label, *tags))}"
