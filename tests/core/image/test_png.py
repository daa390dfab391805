"""What is written is read back, whoever wrote it is refused, and no pixel is decoded for it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from imfine.core.image import png
from imfine.errors import Invalid

SAYS: dict[str, Any] = {
    "model": "m",
    "revision": "r",
    "checksum": "c",
    "prompt": "빨간 사과 🍎 ﷽",
    "recipe": {"attn": 1.2},
    "image": {"steps": 3},
    "seed": 5,
    "lane": "tuned",
    "version": "0",
}
PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    return png.MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def saying(text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("imfine", text)
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_what_is_written_is_read() -> None:
    data = png.write(PIXELS, SAYS)
    assert png.read(data) == SAYS
    assert np.array_equal(np.array(Image.open(io.BytesIO(data))), PIXELS)
    assert png.write(PIXELS, SAYS) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        png.MAGIC,
        header(8, 8),
        header(8, 8) + b"\0" * 40,
        header(0, 8),
        png.write(PIXELS, SAYS)[:60],
        saying("{"),
        saying("[]"),
        saying("{}"),
        saying('{"model": 1, "prompt": "", "lane": "", "recipe": {}, "image": {}, "seed": 1}'),
        saying('{"model": "", "prompt": "", "lane": "", "recipe": {}, "image": {}, "seed": true}'),
        saying("[" * 200_000),
    ],
)
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        png.read(data)
    assert caught.value.field == "file"


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(Invalid, match="50000 × 50000"):
        png.read(header(50_000, 50_000) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)))


def test_a_packed_text_does_not_unpack_without_end() -> None:
    text = zlib.compress(b"a" * 50_000_000, 9)
    data = header(8, 8) + chunk(b"iTXt", b"imfine\0\1\0\0\0" + text) + chunk(b"IEND", b"")
    with pytest.raises(Invalid):
        png.read(data)


def test_a_png_of_somebody_else_says_nothing() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    with pytest.raises(Invalid, match="no recipe of ours"):
        png.read(out.getvalue())


def test_a_jpeg_called_png_is_refused() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG")
    with pytest.raises(Invalid, match="no PNG"):
        png.read(out.getvalue())
