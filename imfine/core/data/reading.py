"""Text files to records: JSON Lines, JSON arrays, plain text, each with the line it begins on. Streams.

UTF-8, with or without a byte order mark, and UTF-16. What is wrong with a line is added to the errors, and
reading goes on: a person wants to hear of all of them at once. Knows no format of records.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from imfine.core.data.findings import Errors, Place, Wrong, kind_of
from imfine.core.data.sources import Source

MAX_LINE = 16 << 20  # characters of a row
CHUNK = 1 << 18
ROW_BYTES = 800  # of plain text: some 200 tokens of English, what the smallest models read at once
WHITE = " \t\r\n"
UTF8 = "UTF-8 (save the file as UTF-8)"


class File:
    """A source that is being read: where errors go, and how they name the place."""

    def __init__(self, source: Source, errors: Errors, name: str | None) -> None:
        self.source, self.errors, self.name = source, errors, name

    def wrong(self, line: int, wrong: Wrong) -> None:
        self.errors.add(Place(line, self.name), wrong)


def encoding_of(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    sample = head[:1000]
    even, odd = (half.count(0) / max(len(half), 1) for half in (sample[::2], sample[1::2]))
    if odd > 0.7 and even < 0.1:
        return "utf-16-le"
    if even > 0.7 and odd < 0.1:
        return "utf-16-be"
    return "utf-8"


def lines(file: File) -> Iterator[tuple[int, str]]:
    """(number from 1, line with its end). A line that cannot be decoded or is too long is an error, and comes
    as well as it can."""
    with file.source.open() as stream:
        head = stream.read(4096)
    encoding = encoding_of(head)
    with file.source.open() as stream:
        if encoding.startswith("utf-16"):
            yield from _wide_lines(file, stream, encoding)
        else:
            yield from _lines(file, stream)


def _lines(file: File, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := stream.readline(MAX_LINE):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            file.wrong(number, Wrong("", f"at most {MAX_LINE:,} bytes in a line", "more"))
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, "\n"
            continue
        try:
            line = raw.decode()
        except UnicodeDecodeError as reason:
            found = f"byte 0x{raw[reason.start]:02x} at column {reason.start + 1}"
            file.wrong(number, Wrong("", UTF8, found))
            line = raw.decode(errors="replace")
        yield number, line


def _wide_lines(file: File, stream: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    number = 0
    text = io.TextIOWrapper(stream, encoding=encoding, newline="\n")
    try:
        while line := text.readline(MAX_LINE):
            number += 1
            yield number, line
    except UnicodeError as reason:
        file.wrong(number + 1, Wrong("", "UTF-16", getattr(reason, "reason", str(reason))))


def json_lines(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines(file):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as reason:
            file.wrong(
                number, Wrong("", "a JSON object on each line", f"{reason.msg} at column {reason.colno}")
            )
        except (ValueError, RecursionError) as reason:  # a number of thousands of digits, a thousand brackets
            file.wrong(number, Wrong("", "a JSON object on each line", str(reason)[:100]))
        else:
            if isinstance(record, dict):
                yield number, record
            else:
                file.wrong(number, Wrong("", "a JSON object", kind_of(record)))


def json_array(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one list, decoded one after another."""
    text = _Window(_chunks(file.source))
    try:
        for line, record in _items(text):
            if isinstance(record, dict):
                yield line, record
            else:
                file.wrong(line, Wrong("", "a JSON object", kind_of(record)))
    except Wrong as wrong:  # where the next value begins is not known
        file.wrong(text.line, wrong)


def _items(text: _Window) -> Iterator[tuple[int, Any]]:
    """(line, value). Raises: Wrong."""
    if text.skip() != "[":
        raise Wrong("", "a list of objects", "something else")
    text.take(1)
    first = True
    while (char := text.skip()) != "]":
        if not first:
            if char != ",":
                raise Wrong("", "a comma or the end of the list", _shown(char))
            text.take(1)
            if text.skip() == "]":
                raise Wrong("", "an object", "a comma before the end of the list")
        first = False
        line = text.line
        yield line, text.value()
    text.take(1)
    if char := text.skip():
        raise Wrong("", "nothing after the list", _shown(char))


def _chunks(source: Source) -> Iterator[str]:
    """A text piece by piece, wherever its lines end. Raises: Wrong."""
    encoding = encoding_of(source.head(4096))
    decoder = codecs.getincrementaldecoder(encoding)()
    with source.open() as stream:
        while data := stream.read(CHUNK):
            yield _decoded(decoder, data, encoding)
    yield _decoded(decoder, b"", encoding)


def _decoded(decoder: codecs.IncrementalDecoder, data: bytes, encoding: str) -> str:
    try:
        return decoder.decode(data, final=not data)
    except UnicodeError as reason:
        expected = "UTF-16" if encoding.startswith("utf-16") else UTF8
        raise Wrong("", expected, getattr(reason, "reason", str(reason))) from None


def _shown(char: str) -> str:
    return repr(char) if char else "the end of the file"


class _Window:
    """A text that is read as far as the value at its beginning needs."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self.line = 1

    def _more(self, wanted: int) -> bool:
        parts, size = [self._text[self._at :]], 0
        self._at = 0
        for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= wanted:
                break
        self._text = "".join(parts)
        return size > 0

    def take(self, count: int) -> None:
        self.line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def skip(self) -> str:
        """Past white space; the next character, "" at the end."""
        while True:
            end = self._at
            while end < len(self._text) and self._text[end] in WHITE:
                end += 1
            self.take(end - self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(CHUNK):
                return ""

    def value(self) -> Any:
        """Raises: Wrong."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as reason:
                have = len(self._text) - self._at
                if have > MAX_LINE or not self._more(max(CHUNK, have)):
                    self.line += self._text.count("\n", self._at, reason.pos)
                    raise Wrong("", "JSON", f"{reason.msg} at column {reason.colno}") from None
                continue
            except (ValueError, RecursionError) as reason:
                raise Wrong("", "JSON", str(reason)[:100]) from None
            if end == len(self._text) and isinstance(value, (int, float)) and self._more(CHUNK):
                continue  # a number may go on
            self.take(end - self._at)
            return value


def plain_text(file: File) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whether the document ends with it): paragraphs, gathered and cut to some ROW_BYTES.

    The rows of a file joined are the file, but for the white space at its ends and between the rows.
    """
    held: tuple[int, str] | None = None
    for piece in _gathered(_paragraphs(lines(file))):
        if held is not None:
            yield *held, False
        held = piece
    if held is not None:
        yield *held, True


def _paragraphs(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines up to a blank one, or as many as fit a row."""
    begin, text = 0, ""
    for number, line in numbered:
        if not line.strip():
            if text:
                yield begin, text + "\n"
            text = ""
            continue
        for piece in _cut(line.replace("\r\n", "\n")):
            if text and len((text + piece).encode()) > ROW_BYTES:
                yield begin, text
                text = ""
            begin = begin if text else number
            text += piece
    if text:
        yield begin, text


def _cut(line: str) -> Iterator[str]:
    """A long line in pieces, cut after white space where there is some."""
    at = 0
    while at < len(line):
        window = line[at : at + ROW_BYTES].encode()[:ROW_BYTES].decode(errors="ignore")
        if at + len(window) < len(line):
            space = max(window.rfind(white, len(window) // 2) for white in (" ", "\t", "。"))
            window = window[: space + 1] or window
        yield window
        at += len(window)


def _gathered(paragraphs: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    begin, text = 0, ""
    for number, paragraph in paragraphs:
        if text and len(text.encode()) + len(paragraph.encode()) > ROW_BYTES:
            yield begin, text
            text = ""
        if not text:
            begin = number
        text += paragraph
    if text.strip():
        yield begin, text.rstrip()
