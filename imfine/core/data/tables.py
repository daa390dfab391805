"""Tables to records: CSV (delimiter sniffed, ragged rows told) and Parquet. Streams.

Knows names of columns, not what they mean.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from typing import Any

from imfine.core.data.findings import Wrong
from imfine.core.data.reading import MAX_LINE, File, lines
from imfine.core.data.sources import Source
from imfine.errors import DataError

DELIMITERS = ",;\t|"
SNIFFED = 50  # lines
BATCH = 64  # rows of Parquet at a time


class Csv:
    """A CSV file whose first row names its columns."""

    def __init__(self, file: File) -> None:
        csv.field_size_limit(MAX_LINE)
        self._file = file
        self._numbered = lines(file)
        first = [line for _, line in zip(range(SNIFFED), (line for _, line in self._numbered), strict=False)]
        self._rows = csv.reader(self._all(first), delimiter=delimiter_of(first), strict=True)
        header = next(self.rows(), None)
        self.names = [name.strip() for name in header[1]] if header else []

    def _all(self, first: list[str]) -> Iterator[str]:
        yield from first
        for _, line in self._numbered:
            yield line

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line it begins on, cells); blank lines are none."""
        while True:
            begin = self._rows.line_num + 1
            try:
                row = next(self._rows, None)
            except csv.Error as reason:  # the end of the cell is not known, so the next row cannot be found
                self._file.wrong(begin, Wrong("", "a row of CSV", str(reason)))
                return
            if row is None:
                return
            if row:
                yield begin, row

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        width = len(self.names)
        for line, row in self.rows():
            if len(row) == width:
                yield line, dict(zip(self.names, row, strict=True))
            else:
                self._file.wrong(line, Wrong("", f"{width} columns", f"{len(row)}"))


def delimiter_of(first: list[str]) -> str:
    """The one that cuts most of the first lines into as many columns as the header, and into most."""

    def worth(delimiter: str) -> tuple[int, int]:
        try:
            widths = [len(row) for row in csv.reader(first, delimiter=delimiter) if row]
        except csv.Error:
            return 0, 0
        if not widths or widths[0] < 2:
            return 0, 0
        return sum(width == widths[0] for width in widths), widths[0]

    best = max(DELIMITERS, key=worth)
    return best if worth(best) > (0, 0) else ","


class Parquet:
    """A Parquet file. Lines are its rows, counted from 1."""

    def __init__(self, source: Source) -> None:
        from pyarrow import parquet

        self._source = source
        self._stream = source.open()
        with self._readable():
            self._file = parquet.ParquetFile(self._stream, buffer_size=1 << 20, pre_buffer=False)
            self.names = list(self._file.schema_arrow.names)

    def records(self, wanted: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Once: the file is closed after its last row."""
        line = 0
        columns = [name for name in self.names if name in wanted]
        with self._stream:
            with self._readable():
                batches = self._file.iter_batches(BATCH, columns=columns, use_threads=False)
            while True:
                with self._readable():
                    batch = next(batches, None)
                    rows = [] if batch is None else batch.to_pylist()
                if batch is None:
                    return
                for row in rows:
                    line += 1
                    yield line, {name: _cell(value) for name, value in row.items()}

    def _readable(self) -> Any:
        return _Readable(self._source.name)


class _Readable:
    """What pyarrow raises over a malformed file, as DataError."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import pyarrow

        if isinstance(
            error, (pyarrow.ArrowException, OSError, ValueError, TypeError, OverflowError, KeyError)
        ):
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(
                f"{self._name} is no Parquet that can be read: {said}",
                remedy="write it once more, or give CSV or JSON Lines",
                field="data",
                value=self._name,
                reason="parquet",
            ) from error


def _cell(value: Any) -> Any:
    """Numbers of a table are text to a model; so is text that was stored as bytes."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value
