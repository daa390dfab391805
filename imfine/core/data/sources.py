"""The files of a data set, wherever they lie: single files, a folder, a zip. Only reads; writes nothing.

A zip's members are read where they are: no path of theirs is ever made on the disk. Names that climb out,
links, encryption and bombs are refused before anything is read. Knows no format.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from imfine.errors import DataError, Invalid

MAX_FILES = 100_000
MAX_UNPACKED = 16 << 30  # bytes of all members of a zip
MAX_RATIO = 300  # of a member's bytes to its packed ones, where it is large
LARGE = 64 << 20
MAX_DIRECTORY = 64 << 20  # bytes of a zip's own list of its members, which is read whole
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ENCRYPTED = 0x1
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")


BROKEN: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a method of packing that Python does not know
    RuntimeError,
    ValueError,
    LookupError,
    struct.error,
    EOFError,
    OSError,
)


@dataclass(frozen=True)
class Source:
    """One file. `name` is its path below what was given; `open` gives its bytes from the beginning."""

    name: str
    size: int
    open: Callable[[], BinaryIO]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """Its path without the suffix."""
        return str(PurePosixPath(self.name).with_suffix(""))

    def head(self, size: int) -> bytes:
        with self.open() as stream:
            return stream.read(size)


@contextmanager
def opened(given: Mapping[Path, str]) -> Iterator[list[Source]]:
    """The files of one or more paths, by what they are called: a path may be a temporary one, or a cache's.

    Raises: Invalid for a path that is not there, or too many files; DataError for a zip that cannot be used.
    """
    found: list[Source] = []
    zips: list[zipfile.ZipFile] = []
    try:
        for path, name in given.items():
            if path.is_dir():
                found += _folder(path)
            elif path.is_file():
                source = _file(path, name)
                if source.head(4) in ZIPS:
                    zips.append(_zip(path, source))
                    found += _members(zips[-1], source.name)
                else:
                    found.append(source)
            else:
                raise Invalid(
                    f"there is no file or folder {str(path)!r}",
                    remedy="name a file, a folder or a zip",
                    field="path",
                    value=str(path),
                )
        _check_count(len(found), "the data")
        yield sorted(found, key=lambda source: source.name)
    finally:
        for each in zips:
            each.close()


def _file(path: Path, name: str) -> Source:
    def read() -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as reason:
            raise DataError(
                f"{name} cannot be read: {reason.strerror}", remedy="see its permissions", field="path"
            ) from reason

    return Source(name, path.stat().st_size, read)


def _folder(folder: Path) -> list[Source]:
    """Its files, at any depth. Links that lead out of it are left out."""
    root = folder.resolve()
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not _ignored(name) and path.is_file() and path.resolve().is_relative_to(root):
            found.append(_file(path, name))
            _check_count(len(found), folder.name)
    return found


def _ignored(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part in IGNORED for part in parts)


def _check_count(count: int, what: str) -> None:
    if count > MAX_FILES:
        raise Invalid(
            f"{what} has more than {MAX_FILES:,} files", remedy="give fewer", field="path", value=count
        )


# ---------------------------------------------------------------- zips


def _zip(path: Path, source: Source) -> zipfile.ZipFile:
    with source.open() as stream:
        entries, directory = _directory(stream, source.size)
    if entries > MAX_FILES or directory > MAX_DIRECTORY:
        raise _refused(source.name, f"lists {entries:,} files", f"pack at most {MAX_FILES:,}")
    try:
        return zipfile.ZipFile(path)
    except BROKEN as reason:
        raise _broken(source.name, reason) from reason


def _directory(stream: BinaryIO, size: int) -> tuple[int, int]:
    """(members, bytes of the list of members) as a zip's end tells: before anything of the list is read."""
    start = max(0, size - (1 << 16) - 100)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        return 0, 0  # zipfile says what is wrong
    entries, directory = struct.unpack_from("<HI", tail, at + 10)
    locator = tail.rfind(LOCATOR64, 0, at)
    if (entries == 0xFFFF or directory == 0xFFFFFFFF) and locator >= 0 and len(tail) >= locator + 20:
        stream.seek(min(struct.unpack_from("<Q", tail, locator + 8)[0], size))
        record = stream.read(56)
        if record.startswith(END64) and len(record) == 56:
            entries, directory = struct.unpack_from("<QQ", record, 32)
    return entries, directory


def _members(packed: zipfile.ZipFile, name: str) -> list[Source]:
    """The members that are files. Raises: DataError for one that no honest zip has."""
    found: dict[str, Source] = {}
    total = 0
    for info in packed.infolist():
        member = info.filename
        _check_name(name, member)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(name, f"holds a link or device, {member!r:.100}", "pack the files themselves")
        if info.flag_bits & ENCRYPTED:
            raise _refused(name, f"is encrypted ({member!r:.100})", "pack it without a password")
        total += info.file_size
        large = info.file_size > LARGE and info.file_size > MAX_RATIO * max(info.compress_size, 1)
        if large or total > MAX_UNPACKED:
            raise _refused(
                name,
                f"would unpack to {total:,} bytes and more, from {info.compress_size:,} for {member!r:.100}",
                f"pack at most {MAX_UNPACKED >> 30} GiB",
            )
        if member in found:
            raise _refused(name, f"has two files {member!r:.100}", "give each a name of its own")
        if not info.is_dir() and not _ignored(member):
            found[member] = Source(member, info.file_size, _opener(packed, info, name))
    if any(source.name in ("[Content_Types].xml", "mimetype") for source in found.values()):
        raise _refused(name, "is an office document", "save it as CSV or as plain text")
    return list(found.values())


def _check_name(name: str, member: str) -> None:
    path = PurePosixPath(member)
    odd = "\\" in member or "\0" in member or (len(member) > 1 and member[1] == ":")
    if path.is_absolute() or ".." in path.parts or odd:
        raise _refused(name, f"holds a path that leads out of it, {member!r:.100}", "pack plain names")


def _opener(packed: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Callable[[], BinaryIO]:
    def read() -> BinaryIO:
        try:
            return cast(BinaryIO, io.BufferedReader(_Member(packed.open(info), info, name), 1 << 16))
        except BROKEN as reason:
            raise _broken(name, reason) from reason

    return read


class _Member(io.RawIOBase):
    """A member's bytes. What is wrong with them is a DataError; never more of them than were announced."""

    def __init__(self, stream: IO[bytes], info: zipfile.ZipInfo, name: str) -> None:
        self._stream, self._info, self._name = stream, info, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        at: int = self._read(lambda: self._stream.seek(offset, whence))
        return at

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._read(lambda: self._stream.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, step: Callable[[], Any]) -> Any:
        try:
            done = step()
        except BROKEN as reason:
            raise _broken(f"{self._name}: {self._info.filename}", reason) from reason
        return done

    def close(self) -> None:
        self._stream.close()
        super().close()


def _refused(name: str, what: str, remedy: str) -> DataError:
    return DataError(f"the zip {name} {what}", remedy=remedy, field="data", value=name, reason="zip")


def _broken(name: str, reason: Exception) -> DataError:
    return DataError(
        f"the zip {name} is damaged: {str(reason)[:200] or type(reason).__name__}",
        remedy="pack it once more",
        field="data",
        value=name,
        reason="zip_damaged",
    )
