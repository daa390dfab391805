"""Pictures and their captions: metadata.jsonl (`file_name`, `text`), or a caption file of the same stem.

A picture's size is judged from its header, before a pixel is decoded; then it is decoded once, as small as
its format allows, so that a damaged one is found here and not by a training run. Knows no storage.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from imfine.core.data.findings import Errors, Place, Wrong, kind_of
from imfine.core.data.reading import File, json_lines, lines
from imfine.core.data.records import whole
from imfine.core.data.sources import Source
from imfine.errors import DataError, Invalid

METADATA = "metadata.jsonl"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp"}
CAPTIONS = (".txt", ".caption")
CAPTION_KEYS = ("text", "caption", "prompt", "description")
MAX_PIXELS = 8192 * 8192
MAX_BYTES = 256 << 20
MAX_CAPTION = 64 << 10  # bytes
DRAFT = (64, 64)
BAD = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    EOFError,
    OverflowError,
    RuntimeError,
    NotImplementedError,
    struct.error,
)


@dataclass(frozen=True)
class Captioned:
    """A picture's file, what is said of it, and where that stands; `lacks`: the code of a finding."""

    source: Source
    caption: str
    place: Place
    lacks: str | None


def has_pictures(sources: Sequence[Source]) -> bool:
    return any(source.suffix in SUFFIXES for source in sources)


def captioned(
    sources: Sequence[Source], columns: Mapping[str, str] | None, errors: Errors
) -> Iterator[Captioned]:
    """The pictures in order, each with its caption; "" where there is none.

    Raises: Invalid for columns that are not `file_name` and `text`.
    """
    if columns and not set(columns) <= {"file_name", "text"}:
        raise Invalid(
            f"pictures have no columns {', '.join(columns)}",
            remedy="map file_name and text",
            field="columns",
            value=", ".join(columns),
        )
    pictures = {source.name: source for source in sources if source.suffix in SUFFIXES}
    told: dict[str, tuple[str, Place]] = {}
    for source in sources:
        if PurePosixPath(source.name).name == METADATA:
            told |= _metadata(source, pictures, columns or {}, errors)
    files = {source.stem: source for source in sources if source.suffix in CAPTIONS}
    for number, (name, picture) in enumerate(sorted(pictures.items()), 1):
        place = Place(number, name)
        if name in told:
            caption, place = told[name]
        elif picture.stem in files:
            caption = _caption(files[picture.stem], errors)
        else:
            yield Captioned(picture, "", place, "no_caption")
            continue
        caption = caption.strip()
        yield Captioned(picture, caption, place, None if caption else "empty_captions")


def _metadata(
    source: Source, pictures: Mapping[str, Source], columns: Mapping[str, str], errors: Errors
) -> dict[str, tuple[str, Place]]:
    file = File(source, errors, source.name)
    folder = PurePosixPath(source.name).parent
    named = columns.get("file_name", "file_name")
    found: dict[str, tuple[str, Place]] = {}
    for line, record in json_lines(file):
        keys = (columns["text"],) if "text" in columns else CAPTION_KEYS
        key = next((key for key in keys if key in record), keys[0])
        try:
            name = whole(record.get(named), named)
            path = str(folder / name)
            if path not in pictures:
                raise Wrong(named, "a picture that is there", kind_of(name))
            if key not in record:
                raise Wrong(key, "text", "no such field")
            caption = "" if record[key] is None else whole(record[key], key)
        except Wrong as wrong:
            file.wrong(line, wrong)
        else:
            found[path] = caption, Place(line, source.name)
    return found


def _caption(source: Source, errors: Errors) -> str:
    file = File(source, errors, source.name)
    if source.size > MAX_CAPTION:
        file.wrong(1, Wrong("", f"a caption of at most {MAX_CAPTION:,} bytes", f"{source.size:,}"))
        return ""
    return "".join(line for _, line in lines(file))


def kept(source: Source, folder: Path) -> tuple[Path, int, int] | str:
    """Copies a picture into `folder` under its hash: (file, width, height), or why it is left out."""
    if source.size > MAX_BYTES:
        return f"larger than {MAX_BYTES:,} bytes"
    with source.open() as stream:
        data = stream.read(MAX_BYTES)
    part = folder / ".part"
    part.write_bytes(data)
    try:
        judged = judge(part)
        if isinstance(judged, str):
            return judged
        suffix, width, height = judged
        return part.rename(folder / f"{hashlib.sha256(data).hexdigest()}{suffix}"), width, height
    finally:
        part.unlink(missing_ok=True)


def judge(path: Path) -> tuple[str, int, int] | str:
    """(suffix of its format, width, height), or what is wrong with a picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=list(FORMATS)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    return f"{width:,} × {height:,} pixels; at most {MAX_PIXELS:,} are taken"
                if not image.format or image.format not in FORMATS:
                    return "not a PNG, JPEG, WebP or BMP"
                image.draft("RGB", DRAFT)
                image.load()
                return FORMATS[image.format], width, height
    except UnidentifiedImageError:
        return "not a PNG, JPEG, WebP or BMP"
    except Image.DecompressionBombError:
        return f"more than {MAX_PIXELS:,} pixels"
    except BAD as reason:
        return f"damaged ({str(reason)[:80] or type(reason).__name__})"


def none_left(skipped: Sequence[Mapping[str, str]]) -> DataError:
    """Nothing but pictures that cannot be used."""
    first = skipped[0]
    return DataError(
        f"none of {len(skipped):,} pictures can be used; {first['file']}: {first['why']}",
        remedy="give PNG, JPEG or WebP files that open elsewhere",
        field="data",
        value=first["file"],
        reason="pictures",
        skipped=list(skipped)[:100],
    )
