"""Files to a stored data set: what format they have, every row read once, what is told of them.

Yields how far it is, and the data set last. A row that cannot be read refuses the whole: nothing is dropped
silently; what is dropped (empty rows, pictures that do not open) is told as a finding.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imfine.core.data import pictures
from imfine.core.data.dataset import Dataset, open_dataset
from imfine.core.data.detect import CSV, LINES, PARQUET, TEXT, detect
from imfine.core.data.findings import TOLD, Errors, Finding, Notes, Place, Wrong, finding
from imfine.core.data.hub import SCHEME, here
from imfine.core.data.reading import File, json_array, json_lines, plain_text
from imfine.core.data.records import Reading, reading
from imfine.core.data.rows import Picture, Row, Text, without
from imfine.core.data.sources import Source, opened
from imfine.core.data.storing import Writer
from imfine.core.data.tables import Csv, Parquet
from imfine.core.events import Phase
from imfine.errors import DataError

EVERY = 2000  # rows between two reports
Numbered = tuple[int, Row]


def ingest(
    data: Sequence[str | Path],
    root: Path,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[Phase | Dataset]:
    """Reads files, folders, zips, or a data set of the Hub (hub.py) into `root/<sha256>/`; yields phases, and
    the data set last.

    `name`: what it is called; else as the first of them. `columns`: part → the data's own name for it, e.g.
    {"prompt": "question", "completion": "answer"}. Raises: Invalid, DataError, NotKept, what `here` raises.
    """
    given: dict[Path, str] = {}
    for each in here(data):
        if isinstance(each, Phase):
            yield each
        else:
            given = each
    called = name or (str(data[0]) if str(data[0]).startswith(SCHEME) else Path(data[0]).resolve().name)
    if name and len(given) == 1:
        given = dict.fromkeys(given, name)
    called = called[:200]
    with opened(given) as sources, Writer(root) as writer:
        reader = _Reader(writer, called, columns)
        if pictures.has_pictures(sources):
            yield from reader.pictures(sources)
        else:
            yield from reader.texts(sources)
        yield open_dataset(reader.close())


class _Reader:
    def __init__(self, writer: Writer, name: str, columns: Mapping[str, str] | None) -> None:
        self._writer = writer
        self._name = name
        self._columns = columns
        self._errors = Errors()
        self._notes = Notes()
        self._files: list[tuple[int, str]] = []  # (first row, name), where there are several
        self._more: list[Finding] = []
        self._about: dict[str, object] = {"kind": "text", "format": "text", "columns": {}, "sizes": None}
        self._bytes = 0

    # ------------------------------------------------------------ text

    def texts(self, sources: Sequence[Source]) -> Iterator[Phase]:
        form, used, skipped = detect(sources)
        if skipped:
            self._skip([{"file": source.name, "why": f"not {form}"} for source in skipped])
        total = sum(source.size for source in used)
        done = 0
        found: Reading | None = None
        yield Phase("loading", 0, total, "bytes")
        for source in used:
            several = source.name if len(used) > 1 else None
            if several:
                self._files.append((self._writer.rows, source.name))
            file = File(source, self._errors, several)
            if form == TEXT:
                rows = self._documents(file)
            else:
                rows, found = self._records(file, form, found)
            begin = self._writer.size
            for count, (line, row) in enumerate(rows):
                self._add(row, Place(line, several))
                if count % EVERY == EVERY - 1:
                    yield Phase("loading", done + min(self._writer.size - begin, source.size), total, "bytes")
            done += source.size
            yield Phase("loading", done, total, "bytes")
        if found is not None:
            self._about |= {"format": found.format, "columns": _renamed(found)}
            if found.unused:
                self._more.append(finding("unused_fields", fields=list(found.unused)))

    def _documents(self, file: File) -> Iterator[Numbered]:
        for line, text, ends in plain_text(file):
            yield line, Text(text, ends)

    def _records(
        self, file: File, form: str, found: Reading | None
    ) -> tuple[Iterator[Numbered], Reading | None]:
        """The rows of a file, and how they are read: as the first record of the first file says."""
        if form == PARQUET:
            parquet = Parquet(file.source)
            how = found or reading(parquet.names, self._columns)
            return self._rows(file, how, parquet.records(how.columns.values())), how
        if form == CSV:
            table = Csv(file)
            if not table.names:
                self._errors.check()
                return iter(()), found
            how = found or reading(table.names, self._columns)
            return self._rows(file, how, table.records()), how
        records = json_lines(file) if form == LINES else json_array(file)
        first = next(records, None)
        if first is None:
            return iter(()), found
        how = found or reading(first[1].keys(), self._columns)
        return self._rows(file, how, _chained(first, records)), how

    def _rows(
        self, file: File, how: Reading, records: Iterator[tuple[int, dict[str, object]]]
    ) -> Iterator[Numbered]:
        for line, record in records:
            try:
                yield line, how.row(record)
            except Wrong as wrong:
                file.wrong(line, wrong)

    def _add(self, row: Row, place: Place) -> None:
        if code := without(row):
            self._notes.note(code, place)
        elif not self._errors.total:  # a data set with errors is not kept
            self._writer.add(row, place.line)

    # ------------------------------------------------------------ pictures

    def pictures(self, sources: Sequence[Source]) -> Iterator[Phase]:
        total = sum(source.size for source in sources if source.suffix in pictures.SUFFIXES)
        skipped: list[dict[str, str]] = []
        sizes: Counter[tuple[int, int]] = Counter()
        done = 0
        for each in pictures.captioned(sources, self._columns, self._errors):
            yield Phase("loading", done, total, "bytes")
            done += each.source.size
            kept = pictures.kept(each.source, self._writer.pictures)
            if isinstance(kept, str):
                skipped.append({"file": each.source.name, "why": kept})
                continue
            if each.lacks:
                self._notes.note(each.lacks, each.place)
            path, width, height = kept
            if each.place.file is not None:
                self._files.append((self._writer.rows, each.place.file))
            self._writer.add(Picture(path, each.caption, width, height), each.place.line)
            self._bytes += each.source.size
            sizes[width, height] += 1
        self._errors.check()
        if not sizes:
            raise pictures.none_left(skipped)
        others = (*pictures.SUFFIXES, *pictures.CAPTIONS)
        skipped += [
            {"file": source.name, "why": "no picture and no caption"}
            for source in sources
            if source.suffix not in others and not source.name.endswith(pictures.METADATA)
        ]
        if skipped:
            self._skip(skipped)
        ordered = sorted(sizes, key=lambda size: size[0] * size[1])
        told = {"smallest": list(ordered[0]), "largest": list(ordered[-1])}
        self._about |= {"kind": "image", "format": "pictures", "sizes": told}

    # ------------------------------------------------------------ the end

    def _skip(self, files: list[dict[str, str]]) -> None:
        told = finding("skipped_files", count=len(files))
        self._more.append(
            Finding(told.code, told.message, {"count": len(files), "skipped": files[:TOLD]}, [])
        )

    def close(self) -> Path:
        self._errors.check()
        if not self._writer.rows:
            raise self._nothing()
        findings = [*self._told(), *self._more]
        return self._writer.close(
            {
                "name": self._name,
                **self._about,
                "rows": self._writer.rows,
                "bytes": self._writer.size + self._bytes,
                "findings": [each.to_json() for each in findings],
            }
        )

    def _nothing(self) -> DataError:
        dropped = [each.message for code in self._notes.counts if (each := self._notes.finding(code))]
        return DataError(
            "there is nothing to train on" + (f": {'; '.join(dropped)}" if dropped else ""),
            remedy="give a file that holds at least one row with something to learn",
            field="data",
            reason="nothing",
            findings=dropped,
        )

    def _told(self) -> Iterator[Finding]:
        rows = self._writer.rows
        repeated = self._writer.repeated()
        if rows == 1:
            yield finding("one_row")
        elif len(repeated) == rows - 1:
            yield finding("all_equal", rows=rows)
        elif len(repeated):
            first = repeated[:TOLD]
            files = {"files": [self._file_of(int(row)) for row in first]} if self._files else {}
            lines = self._writer.line_of(first)
            yield finding("duplicates", lines, count=len(repeated), rows=rows, **files)
        for code in self._notes.counts:
            if each := self._notes.finding(code):
                yield each

    def _file_of(self, row: int) -> str:
        return self._files[bisect_right(self._files, row, key=lambda file: file[0]) - 1][1]


def _chained(
    first: tuple[int, dict[str, object]], rest: Iterator[tuple[int, dict[str, object]]]
) -> Iterator[tuple[int, dict[str, object]]]:
    yield first
    yield from rest


def _renamed(found: Reading) -> dict[str, str]:
    """The mapping, where it says anything."""
    return {part: name for part, name in found.columns.items() if part != name}
