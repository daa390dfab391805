"""A record (a JSON object, a row of a table) to a row: which format it has, what in it is missing or wrong.

Formats: OpenAI `messages`, ShareGPT (`conversations`), Alpaca, prompt/completion, text; other names of
columns are guessed, or mapped by who knows better. Knows no file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from imfine.core.data.findings import Wrong, kind_of
from imfine.core.data.rows import Chat, Pair, Row, Text
from imfine.core.text.prompts import Message, Role
from imfine.errors import DataError, Invalid

FORMATS: Mapping[str, tuple[str, ...]] = {  # format → the parts a record must have
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt_completion": ("prompt", "completion"),
    "text": ("text",),
}
OPTIONAL = {"alpaca": ("input",)}
PARTS = sorted({*(part for parts in FORMATS.values() for part in parts), "input"})
GUESSED: Mapping[str, tuple[str, ...]] = {  # part → other names it goes by
    "conversations": ("conversation", "dialog", "dialogue"),
    "prompt": ("question", "instruction", "query", "input", "user", "source", "problem", "context"),
    "completion": ("answer", "response", "output", "reply", "assistant", "target", "solution", "chosen"),
    "text": ("body", "content", "document", "story", "article", "passage", "sentence"),
}
ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
TURN_KEYS = {"role", "content", "from", "value"}
MAX_UNUSED = 20


@dataclass
class Reading:
    """How records become rows: `columns` maps a part to the record's own name for it."""

    format: str
    columns: dict[str, str]
    unused: dict[str, None] = field(default_factory=dict)  # an ordered set: names that nothing reads

    def row(self, record: Mapping[str, Any]) -> Row:
        """Raises: Wrong."""
        used = self.columns.values()
        self._leave(key for key in record if key not in used)
        match self.format:
            case "messages" | "sharegpt":
                return self._chat(record, self.columns[FORMATS[self.format][0]])
            case "alpaca":
                more = self._text(record, "input", missing="")
                asked = self._text(record, "instruction")
                return Pair(f"{asked}\n\n{more}" if more.strip() else asked, self._text(record, "output"))
            case "prompt_completion":
                return Pair(self._text(record, "prompt"), self._text(record, "completion"))
            case _:
                return Text(self._text(record, "text"))

    def _text(self, record: Mapping[str, Any], part: str, *, missing: str | None = None) -> str:
        name = self.columns[part]
        if name not in record:
            if missing is not None:
                return missing
            raise Wrong(name, "text", "no such field")
        value = record[name]
        return "" if value is None else whole(value, name)

    def _chat(self, record: Mapping[str, Any], name: str) -> Chat:
        if name not in record:
            raise Wrong(name, "a list of turns", "no such field")
        turns = record[name]
        if isinstance(turns, str):  # a cell of a table
            try:
                turns = json.loads(turns)
            except (ValueError, RecursionError):
                raise Wrong(name, "a list of turns in JSON", kind_of(turns)) from None
        if not isinstance(turns, list) or not turns:
            raise Wrong(name, "a list of turns", kind_of(turns))
        return Chat(tuple(self._turn(turn, f"{name}.{i}") for i, turn in enumerate(turns)))

    def _turn(self, turn: Any, where: str) -> Message:
        if not isinstance(turn, dict):
            raise Wrong(where, "an object with role and content", kind_of(turn))
        told = ("role", "content") if "role" in turn or "content" in turn else ("from", "value")
        for key in told:
            if key not in turn:
                raise Wrong(f"{where}.{key}", "text", "no such field")
        said_by = turn[told[0]]
        role = ROLES.get(said_by.lower()) if isinstance(said_by, str) else None
        if role is None:
            raise Wrong(f"{where}.{told[0]}", "system, user or assistant", kind_of(said_by))
        self._leave(
            f"{self.columns[FORMATS[self.format][0]]}.*.{key}" for key in turn if key not in TURN_KEYS
        )
        return Message(role, _content(turn[told[1]], f"{where}.{told[1]}"))

    def _leave(self, names: Any) -> None:
        for name in names:
            if len(self.unused) < MAX_UNUSED and isinstance(name, str):
                self.unused.setdefault(name[:100].encode("utf-8", "replace").decode())


def _content(value: Any, where: str) -> str:
    """A turn's text: as it stands, or in OpenAI's parts."""
    if not isinstance(value, list):
        return whole(value, where)
    texts = []
    for i, part in enumerate(value):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise Wrong(f"{where}.{i}", 'a part of the type "text"', kind_of(part))
        texts.append(whole(part.get("text"), f"{where}.{i}.text"))
    return "".join(texts)


def whole(value: Any, where: str) -> str:
    """Raises: Wrong for what is no text, or holds half of a surrogate pair."""
    if not isinstance(value, str):
        raise Wrong(where, "text", kind_of(value))
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Wrong(where, "whole characters", "half of a surrogate pair") from None
    return value


def parse_columns(text: str) -> dict[str, str]:
    """`prompt=question,completion=answer` → a mapping. Raises: Invalid."""
    columns = {}
    for entry in text.split(","):
        part, equals, name = entry.partition("=")
        if not equals or not name.strip():
            raise Invalid(
                f"{entry!r} is no mapping of a column",
                remedy="write e.g. prompt=question,completion=answer",
                field="columns",
                value=text,
            )
        columns[part.strip()] = name.strip()
    return columns


def reading(names: Collection[str], columns: Mapping[str, str] | None) -> Reading:
    """How records with these names are read.

    Raises: Invalid for a mapping that makes no format or names what is not there; DataError if nothing fits.
    """
    if columns:
        return _mapped(names, columns)
    plain = {name.strip().lower(): name for name in reversed(list(names))}
    for format, parts in FORMATS.items():
        if all(part in plain for part in parts):
            return Reading(format, {part: plain[part] for part in parts} | _optional(format, plain))
    for format, parts in FORMATS.items():
        guessed = {part: _guess(part, plain) for part in parts}
        found = {part: name for part, name in guessed.items() if name is not None}
        if len(found) == len(parts) == len(set(found.values())):
            return Reading(format, found | _optional(format, plain))
    listed = ", ".join(list(names)[:MAX_UNUSED]) or "none"
    raise DataError(
        f"no column says what is asked and what is answered; there are: {listed}",
        remedy="name them, e.g. columns prompt=question,completion=answer, or text=body",
        field="columns",
        value=listed,
        reason="columns",
        columns=list(names)[:MAX_UNUSED],
    )


def _mapped(names: Collection[str], columns: Mapping[str, str]) -> Reading:
    for format, parts in FORMATS.items():
        if set(parts) <= set(columns) <= {*parts, *OPTIONAL.get(format, ())}:
            break
    else:
        raise Invalid(
            f"the columns {', '.join(columns)} make no format",
            remedy="map prompt and completion; text; instruction and output; messages; or conversations",
            field="columns",
            value=", ".join(columns),
        )
    for part, name in columns.items():
        if name not in names and part not in OPTIONAL.get(format, ()):
            raise Invalid(
                f"there is no column {name!r} for {part}; there are: {', '.join(list(names)[:MAX_UNUSED])}",
                remedy="name one of these",
                field="columns",
                value=name,
            )
    return Reading(
        format, dict(columns) | {part: part for part in OPTIONAL.get(format, ()) if part not in columns}
    )


def _optional(format: str, plain: Mapping[str, str]) -> dict[str, str]:
    return {part: plain.get(part, part) for part in OPTIONAL.get(format, ())}


def _guess(part: str, plain: Mapping[str, str]) -> str | None:
    return next((plain[name] for name in (part, *GUESSED.get(part, ())) if name in plain), None)
