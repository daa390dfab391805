"""Pictures with captions: both ways to say them, what is left out and why."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from given import codes, given, jsonl, picture, rows, stored, zipped

from imfine.core.data.picture_counts import count
from imfine.core.data.rows import Picture
from imfine.errors import DataError, Invalid


def huge(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG that says it is so large, with hardly a pixel in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


def said(found: Picture) -> tuple[str, int, int]:
    return found.caption, found.width, found.height


def test_metadata_and_caption_files(tmp_path: Path) -> None:
    listed = jsonl([{"file_name": "b.jpg", "text": "고양이 🐱"}, {"file_name": "a.png", "text": "a dog"}])
    members = {
        "metadata.jsonl": listed,
        "a.png": picture(),
        "a.txt": "not this",
        "b.jpg": picture((9, 9), form="JPEG"),
        "more/c.webp": picture((4, 4), form="WEBP"),
        "more/c.txt": "a bird\n",
        "more/d.bmp": picture((5, 5), form="BMP"),
        "more/d.caption": "a fish",
    }
    dataset = given(tmp_path, "set.zip", zipped(members))
    assert (dataset.kind, dataset.format, dataset.rows) == ("image", "pictures", 4)
    found = [row for row in rows(dataset) if isinstance(row, Picture)]
    assert [said(row) for row in found] == [
        ("a dog", 8, 6),
        ("고양이 🐱", 9, 9),
        ("a bird", 4, 4),
        ("a fish", 5, 5),
    ]
    for row in found:
        assert hashlib.sha256(row.path.read_bytes()).hexdigest() == row.path.stem
    assert dataset.sizes == {"smallest": [4, 4], "largest": [9, 9]}
    assert dataset.findings == []
    folder = tmp_path / "set"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    assert stored(folder, tmp_path).hash == dataset.hash


def test_what_is_no_picture_is_listed_as_left_out(tmp_path: Path) -> None:
    members = {
        "a.png": picture(),
        "a.txt": "a dog",
        "text.png": "I am a text",
        "huge.png": huge(),
        "cut.jpg": picture((200, 200), form="JPEG")[:-300],
        "notes.md": "notes",
    }
    dataset = given(tmp_path, "set.zip", zipped(members))
    assert dataset.rows == 1
    skipped = {each["file"]: each["why"] for each in codes(dataset)["skipped_files"]["params"]["skipped"]}
    assert skipped["text.png"] == "not a PNG, JPEG, WebP or BMP"
    assert "pixels" in skipped["huge.png"]
    assert skipped["cut.jpg"].startswith("damaged")
    assert skipped.keys() == {"text.png", "huge.png", "cut.jpg", "notes.md"}


@pytest.mark.parametrize("size", [(50_000, 50_000), (9000, 8000)])
def test_too_large_a_picture_alone_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="pixels"):
        given(tmp_path, "set.zip", zipped({"huge.png": huge(*size)}))
    assert list(tmp_path.glob("datasets/*")) == []


def test_captions_that_are_empty_or_missing_are_told(tmp_path: Path) -> None:
    members = {
        "a.png": picture(),
        "a.txt": " \n",
        "b.png": picture(colour=9),
        "c.png": picture(),
        "c.txt": "c",
    }
    dataset = given(tmp_path, "set.zip", zipped(members))
    assert [row.caption for row in rows(dataset) if isinstance(row, Picture)] == ["", "", "c"]
    assert codes(dataset)["empty_captions"]["params"]["files"] == ["a.png"]
    assert codes(dataset)["no_caption"]["params"]["files"] == ["b.png"]


def test_pictures_below_a_resolution_are_counted_and_named(tmp_path: Path) -> None:
    listed = jsonl([{"file_name": "b.png", "text": "b"}, {"file_name": "a.png", "text": ""}])
    members = {
        "metadata.jsonl": listed,
        "a.png": picture((64, 63)),
        "b.png": picture((64, 64)),
        "c.png": picture((200, 9)),
    }
    dataset = given(tmp_path, "set.zip", zipped(members))
    counted = count(dataset, 64)
    assert (counted.rows, counted.captioned) == (3, 1)
    [small] = counted.findings
    assert (small.code, small.lines) == ("too_small", [1, 3])  # in the order of their names
    assert count(dataset, 9).findings == []


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"file_name":"none.png","text":"x"}', "file_name"),
        ('{"file_name":"../a.png","text":"x"}', "file_name"),
        ('{"file_name":"/etc/passwd","text":"x"}', "file_name"),
        ('{"file_name":7,"text":"x"}', "file_name"),
        ('{"text":"x"}', "file_name"),
        ('{"file_name":"a.png"}', "text"),
        ('{"file_name":"a.png","text":7}', "text"),
        ("oops", ""),
    ],
)
def test_a_bad_line_of_metadata_is_named(tmp_path: Path, line: str, field: str) -> None:
    listed = '{"file_name":"a.png","text":"a"}\n' + line
    with pytest.raises(DataError) as caught:
        given(tmp_path, "set.zip", zipped({"metadata.jsonl": listed, "a.png": picture()}))
    error = caught.value.params["errors"][0]
    assert (error["file"], error["line"], error["field"]) == ("metadata.jsonl", 2, field)


def test_names_in_metadata_are_mapped(tmp_path: Path) -> None:
    members = {"metadata.jsonl": '{"image":"a.png","what":"a dog"}', "a.png": picture()}
    columns = {"file_name": "image", "text": "what"}
    [row] = rows(given(tmp_path, "set.zip", zipped(members), columns=columns))
    assert isinstance(row, Picture)
    assert row.caption == "a dog"
    with pytest.raises(Invalid):
        given(tmp_path, "set.zip", zipped(members), columns={"prompt": "what"})


def test_the_same_picture_and_caption_twice_is_a_duplicate(tmp_path: Path) -> None:
    members = {"a.png": picture(), "a.txt": "x", "b.png": picture(), "b.txt": "x", "c.png": picture(colour=5)}
    assert codes(given(tmp_path, "set.zip", zipped(members)))["duplicates"]["params"]["files"] == ["b.png"]
