"""PNGs that say how they were made: an iTXt chunk `imfine` with JSON. Writes ours, reads anybody's with care.

Reading decodes no pixel: the size in the header is judged first, then only the chunks before them are read.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from imfine.errors import Invalid

KEYWORD = "imfine"
MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 4096 * 4096
MAX_BYTES = 64 * 2**20
MAX_TEXT = 2**20
TEXTS = ("model", "prompt", "lane")
OBJECTS = ("recipe", "image")


def write(pixels: np.ndarray, says: Mapping[str, Any]) -> bytes:
    """uint8 (H, W, 3) and what is to be said of it -> a PNG file. The same in, the same bytes out."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEYWORD, json.dumps(says, ensure_ascii=False, sort_keys=True, allow_nan=False))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", pnginfo=info, compress_level=4)
    return out.getvalue()


def read(data: bytes) -> dict[str, Any]:
    """What one of our PNGs says: model, revision, checksum, prompt, recipe, image, seed, lane, version.

    Raises:
        Invalid: no PNG, too large a picture, or nothing of ours in it.
    """
    _check_header(data)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            text = image.info.get(KEYWORD)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise _invalid("the PNG is damaged", "send the file as it was saved") from error
    if not isinstance(text, str):
        raise _invalid("the PNG carries no recipe of ours", "drop a picture that I'm Fine made")
    if len(text) > MAX_TEXT:
        raise _invalid("what the PNG says is too long", "drop a picture that I'm Fine made")
    try:
        says = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid("what the PNG says is no JSON", "drop a picture that I'm Fine made") from error
    if (
        not isinstance(says, dict)
        or not all(isinstance(says.get(name), str) for name in TEXTS)
        or not all(isinstance(says.get(name), dict) for name in OBJECTS)
        or isinstance(says.get("seed"), bool)
        or not isinstance(says.get("seed"), int)
    ):
        raise _invalid("what the PNG says is not of our form", "drop a picture that I'm Fine made")
    return says


def _check_header(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise _invalid(f"the file has {len(data)} bytes", f"send at most {MAX_BYTES}")
    if not data.startswith(MAGIC) or data[12:16] != b"IHDR" or len(data) < 33:
        raise _invalid("the file is no PNG", "send a PNG file")
    width, height = struct.unpack(">II", data[16:24])
    if not width or not height or width * height > MAX_PIXELS:
        raise _invalid(
            f"the picture is {width} × {height} pixels", f"send one of at most {MAX_PIXELS:,} pixels in all"
        )


def _invalid(fact: str, remedy: str) -> Invalid:
    return Invalid(fact, remedy=remedy, field="file")
