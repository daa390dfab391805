"""Zips that mean harm, or are broken: refused with the reason, and nothing is written outside of the home."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from given import given, rows, zipped

from imfine.core.data import sources
from imfine.core.data.rows import Text
from imfine.errors import DataError

TEXT = b'{"text":"a"}\n'


def link() -> bytes:
    return _with(lambda info: setattr(info, "external_attr", (stat.S_IFLNK | 0o777) << 16), b"/etc/passwd")


def device() -> bytes:
    return _with(lambda info: setattr(info, "external_attr", (stat.S_IFCHR | 0o777) << 16), b"")


def encrypted() -> bytes:
    data = bytearray(zipped({"a.jsonl": TEXT}))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    return bytes(data)


def _with(change: Callable[[zipfile.ZipInfo], None], content: bytes) -> bytes:
    out = io.BytesIO()
    info = zipfile.ZipInfo("a.jsonl")
    change(info)
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(info, content)
    return out.getvalue()


def twice() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("a.jsonl", TEXT)
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a.jsonl", TEXT)
    return out.getvalue()


def unknown_method() -> bytes:
    data = bytearray(zipped({"a.jsonl": TEXT}))
    for magic, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        data[data.index(magic) + at] = 97
    return bytes(data)


def damaged() -> bytes:
    data = bytearray(zipped({"a.jsonl": TEXT * 1000}))
    data[60] ^= 0xFF
    return bytes(data)


REFUSED = {
    "climbs": (lambda: zipped({"../a.jsonl": TEXT}), "leads out"),
    "climbs within": (lambda: zipped({"x/../../a.jsonl": TEXT}), "leads out"),
    "absolute": (lambda: zipped({"/tmp/a.jsonl": TEXT}), "leads out"),
    "a drive": (lambda: zipped({"C:a.jsonl": TEXT}), "leads out"),
    "backslashes": (lambda: zipped({"..\\a.jsonl": TEXT}), "leads out"),
    "a link": (link, "link"),
    "a device": (device, "device"),
    "encrypted": (encrypted, "encrypted"),
    "two of one name": (twice, "two files"),
    "an unknown method": (unknown_method, "damaged"),
    "damaged": (damaged, "damaged"),
    "cut off": (lambda: zipped({"a.jsonl": TEXT * 1000})[:-30], "damaged"),
    "a bomb": (lambda: zipped({"a.jsonl": b"\n" * (65 << 20)}), "would unpack"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_zip_that_means_harm_is_refused(tmp_path: Path, case: str) -> None:
    make, words = REFUSED[case]
    before = {"d.zip"}
    with pytest.raises(DataError, match=words) as caught:
        given(tmp_path, "d.zip", make())
    assert caught.value.remedy
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == before


def test_all_members_together_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", 1000)
    with pytest.raises(DataError, match="would unpack"):
        given(tmp_path, "d.zip", zipped({f"{i}.jsonl": TEXT * 10 for i in range(10)}))


def test_a_member_that_is_larger_than_it_says_is_stopped(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.jsonl": TEXT * 100_000}))
    announced = struct.pack("<I", 130)
    for magic, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = data.index(magic) + at
        data[start : start + 4] = announced
    with pytest.raises(DataError, match="damaged"):
        given(tmp_path, "d.zip", bytes(data))


def test_a_long_list_of_members_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", None)  # would fail otherwise
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 5_000_000, 5_000_000, 1 << 30, 4)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 4, 1)
    with pytest.raises(DataError, match="lists 5,000,000 files"):
        given(tmp_path, "d.zip", b"PK\5\6" + record + locator + end)


def test_honest_zips_of_macs_and_windows_are_read(tmp_path: Path) -> None:
    members = {"set/": "", "set/a.jsonl": TEXT, "__MACOSX/set/._a.jsonl": b"\0\1", "set/.DS_Store": b"\0"}
    dataset = given(tmp_path, "d.zip", zipped(members))
    assert rows(dataset) == [Text("a")]
    assert [finding["code"] for finding in dataset.findings] == ["one_row"]


def test_a_thousand_equal_rows_are_no_bomb(tmp_path: Path) -> None:
    assert given(tmp_path, "d.zip", zipped({"a.jsonl": TEXT * 100_000})).rows == 100_000


def test_links_in_a_folder_do_not_lead_out(tmp_path: Path) -> None:
    from given import stored

    (tmp_path / "secret.jsonl").write_bytes(TEXT)
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "out.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (folder / "in.txt").write_text("in")
    assert rows(stored(folder, tmp_path)) == [Text("in")]
