"""A row of a data set: a conversation, a prompt with its completion, a text, or a picture with its caption.

The canonical form, one JSON object a line. Knows no file format and no tokenizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imfine.core.text.prompts import Message


@dataclass(frozen=True)
class Chat:
    """Turns of a conversation; at least one is the assistant's."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Pair:
    """What is asked, and what is to be learned as its answer."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Text:
    """A text to be learned whole. `ends`: nothing follows it; a long document is several rows, and only the
    last of them ends."""

    text: str
    ends: bool = True


@dataclass(frozen=True)
class Picture:
    """A picture's file and its caption, which may be empty. Pixels as stored, before any EXIF turn."""

    path: Path
    caption: str
    width: int
    height: int


Row = Chat | Pair | Text | Picture


def to_json(row: Row) -> dict[str, Any]:
    match row:
        case Chat():
            return {"messages": [{"role": m.role, "content": m.content} for m in row.messages]}
        case Pair():
            return {"prompt": row.prompt, "completion": row.completion}
        case Text():
            return {"text": row.text} if row.ends else {"text": row.text, "ends": False}
        case Picture():
            size = {"width": row.width, "height": row.height}
            return {"picture": row.path.name, "text": row.caption, **size}


def from_json(data: dict[str, Any], pictures: Path) -> Row:
    """What `to_json` wrote. `pictures`: the folder of the pictures' files."""
    if "messages" in data:
        return Chat(tuple(Message(turn["role"], turn["content"]) for turn in data["messages"]))
    if "completion" in data:
        return Pair(data["prompt"], data["completion"])
    if "picture" in data:
        return Picture(pictures / data["picture"], data["text"], data["width"], data["height"])
    return Text(data["text"], data.get("ends", True))


def without(row: Row) -> str | None:
    """Why nothing can be learned from this row: the code of a finding; None where something can."""
    match row:
        case Text() if not row.text.strip():
            return "empty_rows"
        case Pair() if not row.completion.strip():
            return "no_answer" if row.prompt.strip() else "empty_rows"
        case Chat() if not any(m.role == "assistant" and m.content.strip() for m in row.messages):
            return "no_answer" if any(m.content.strip() for m in row.messages) else "empty_rows"
    return None
