"""What is told of a data set: rows that cannot be read (errors), and what one should know (findings).

Both name lines, the first hundred of them, and count the rest. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from imfine.errors import DataError

TOLD = 100  # lines that are named; the others are counted
REMEDY = "mend the lines that are named, and give the file once more"

MESSAGES = {
    "duplicates": "rows that repeat another: {count:,} of {rows:,}",
    "all_equal": "all {rows:,} rows are the same",
    "one_row": "there is one row: nothing is left to measure with",
    "empty_rows": "empty rows, left out: {count:,}",
    "no_answer": "rows without an answer, left out: {count:,}",
    "empty_captions": "pictures with an empty caption: {count:,}",
    "no_caption": "pictures without a caption: {count:,}",
    "too_small": "pictures with a side below {pixels:,} pixels, to be enlarged: {count:,} of {rows:,}",
    "skipped_files": "files left out: {count:,}",
    "unused_fields": "not used: {fields}",
    "too_long": "rows cut at {max_length:,} tokens: {count:,} of {rows:,}",
    "answer_cut": "rows whose whole answer is cut off: {count:,}",
    "template_unstable": (
        "rows whose tokens are all trained, for the model's chat template does not tell"
        " where their answers are: {count:,}"
    ),
    "template_refused": "rows that the model cannot read: {count:,} ({reason})",
}


@dataclass(frozen=True)
class Finding:
    """`lines` are the first TOLD lines (rows of a table, numbered from 1); `params["count"]` is how many.

    Where the data lie in several files, `params["files"]` names the file of each line.
    """

    code: str
    message: str
    params: dict[str, Any]
    lines: list[int]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def finding(code: str, lines: Sequence[int] = (), **params: Any) -> Finding:
    shown = {key: ", ".join(map(str, v)) if isinstance(v, list) else v for key, v in params.items()}
    return Finding(code, MESSAGES[code].format(**shown), params, [int(line) for line in lines[:TOLD]])


class Wrong(Exception):
    """A row that cannot be read: where in it, what was expected, what is there. Part of a DataError."""

    def __init__(self, where: str, expected: str, found: str) -> None:
        super().__init__(where)
        self.field, self.expected, self.found = where, expected, found


@dataclass(frozen=True)
class Place:
    """A line of a file. `file` is None where there is only one."""

    line: int
    file: str | None = None


@dataclass
class Errors:
    """The first TOLD errors and how many there are."""

    total: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)

    def add(self, place: Place, wrong: Wrong) -> None:
        self.total += 1
        if len(self.first) < TOLD:
            told = {"line": place.line, "field": wrong.field, "expected": wrong.expected}
            self.first.append({"file": place.file, **told, "found": wrong.found})

    def check(self) -> None:
        """Raises: DataError naming the first of them, with all that are told in `params["errors"]`."""
        if not self.first:
            return
        first, more = self.first[0], self.total - 1
        others = f" (and {more:,} more {'error' if more == 1 else 'errors'})" if more else ""
        raise DataError(
            f"{said(first)}{others}",
            remedy=REMEDY,
            field=first["field"] or "data",
            value=first["found"],
            reason="lines",
            **{name: first[name] for name in ("file", "line", "expected", "found")},
            errors=self.first,
            total=self.total,
        )


def said(error: dict[str, Any]) -> str:
    """One of `params["errors"]` as a sentence."""
    where = f"{error['file']}, " if error["file"] else ""
    named = f", {error['field']}" if error["field"] else ""
    return f"{where}line {error['line']}{named}: expected {error['expected']}, found {error['found']}"


@dataclass
class Notes:
    """Counts what is noted, by code; keeps the first places of each."""

    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[Place]] = field(default_factory=dict)

    def note(self, code: str, place: Place) -> None:
        self.counts[code] = self.counts.get(code, 0) + 1
        kept = self.places.setdefault(code, [])
        if len(kept) < TOLD:
            kept.append(place)

    def finding(self, code: str, **params: Any) -> Finding | None:
        if code not in self.counts:
            return None
        places = self.places[code]
        if places[0].file is not None:
            params["files"] = [place.file for place in places]
        return finding(code, [place.line for place in places], count=self.counts[code], **params)


def kind_of(value: Any) -> str:
    """A JSON value as people call it: "a number", "an empty list", "nothing"."""
    if isinstance(value, str):
        return f"{value[:40]!r}" if value else "an empty text"
    if isinstance(value, (list, dict)) and not value:
        return "an empty list" if isinstance(value, list) else "an empty object"
    names = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number"}
    names |= {list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
