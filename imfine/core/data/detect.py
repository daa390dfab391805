"""What format files have, by their content first and their name second. Reads no more than their heads."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Final

from imfine.core.data.reading import encoding_of
from imfine.core.data.records import reading
from imfine.core.data.sources import Source
from imfine.core.data.tables import delimiter_of
from imfine.errors import DataError

LINES: Final = "JSON Lines"
ARRAY: Final = "a JSON list"
CSV: Final = "CSV"
PARQUET: Final = "Parquet"
TEXT: Final = "plain text"
HEAD = 64 << 10
BY_NAME: Mapping[str, str] = {
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".csv": CSV,
    ".tsv": CSV,
    ".parquet": PARQUET,
}
ELSE: Mapping[bytes, str] = {  # what people give by mistake
    b"\x1f\x8b": "packed with gzip: unpack it first",
    b"%PDF": "a PDF: save it as plain text",
    b"PK\x03\x04": "a zip within a zip: unpack it first",
    b"7z\xbc\xaf": "packed with 7-Zip: pack it as a zip",
    b"Rar!": "packed with RAR: pack it as a zip",
    b"BZh": "packed with bzip2: unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it first",
    b"\xd0\xcf\x11\xe0": "an old office document: save it as CSV or plain text",
    b"ARROW1": "an Arrow file: save it as Parquet",
    b"SQLite": "a database: export the table as CSV",
}


def detect(sources: Sequence[Source]) -> tuple[str, list[Source], list[Source]]:
    """(format, the files of it, those left out). Beside tables and JSON, plain text is only a README.

    Raises: DataError for no files, files of several formats, or a file that is no text.
    """
    by: dict[str, list[Source]] = {}
    strange: list[tuple[Source, DataError]] = []
    for source in sources:
        try:
            by.setdefault(detect_one(source), []).append(source)
        except DataError as error:
            strange.append((source, error))
    left = [source for source, _ in strange]
    structured = [form for form in by if form != TEXT]
    if len(structured) > 1:
        first, second = (by[form][0].name for form in structured[:2])
        raise DataError(
            f"the files have several formats: {first} is {structured[0]}, {second} is {structured[1]}",
            remedy="give files of one format",
            field="data",
            value=second,
            reason="several_formats",
        )
    if structured:
        return structured[0], by[structured[0]], [*by.get(TEXT, []), *left]
    if TEXT in by:
        return TEXT, by[TEXT], left
    if strange:
        raise strange[0][1]
    raise DataError(
        "there are no files", remedy="give a file that holds data", field="data", reason="nothing"
    )


def detect_one(source: Source) -> str:
    """Raises: DataError for what is neither text nor Parquet."""
    head = source.head(HEAD)
    if head.startswith(b"PAR1"):
        return PARQUET
    for magic, what in ELSE.items():
        if head.startswith(magic):
            raise _strange(source, what)
    encoding = encoding_of(head)
    if not encoding.startswith("utf-16") and b"\0" in head and source.suffix not in BY_NAME:
        raise _strange(source, "no text and no format that is known")
    text = head.decode(encoding, errors="replace")
    begin = text.lstrip()
    if begin.startswith("[") and (begin[1:].lstrip()[:1] in ("{", "]", "") or source.suffix == ".json"):
        return ARRAY
    if begin.startswith("{") and (source.suffix == ".json" or _is_object(begin)):
        return _lines_or_one(source, begin)
    if source.suffix == ".json":
        raise _strange(source, "called .json, but holds no list of objects")
    if source.suffix in BY_NAME:
        if BY_NAME[source.suffix] == PARQUET:
            raise _strange(source, "called .parquet, but no Parquet")
        return BY_NAME[source.suffix]
    return CSV if _is_table(text) else TEXT


def _lines_or_one(source: Source, begin: str) -> str:
    if source.suffix == ".json" and not _is_object(begin) and len(begin.partition("\n")[0]) < HEAD // 2:
        raise _strange(source, "one JSON object over several lines: write a list of objects")
    return LINES


def _is_object(begin: str) -> bool:
    """Whether the first line is an object, as far as can be seen."""
    first, newline, _ = begin.partition("\n")
    if not newline and len(begin) > HEAD // 4:  # a long one, whose end is not here
        return begin[1:].lstrip().startswith('"')
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _is_table(text: str) -> bool:
    """Whether the first line names two columns or more that are understood."""
    first = text.splitlines()[:20]
    if not first or len(first[0]) > 1000:
        return False
    try:
        names = next(csv.reader(first[:1], delimiter=delimiter_of(first)), [])
        return len(names) > 1 and bool(reading([name.strip() for name in names], None))
    except (csv.Error, DataError):
        return False


def _strange(source: Source, what: str) -> DataError:
    return DataError(
        f"{source.name} is {what}",
        remedy="give JSON Lines, CSV, Parquet, plain text, or pictures with captions",
        field="data",
        value=source.name,
        reason="format",
    )
