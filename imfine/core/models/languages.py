"""Whether a model was made for the language of a prompt, or of rows to learn from. Plain Python; knows
scripts, not languages.

Only what letters alone can prove is told: Hangul is Korean. A model whose card names no languages is left
in peace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from imfine.core.events import Notice

HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
KOREAN_CAPABLE = "Qwen/Qwen2.5-0.5B-Instruct"


class HasLanguages(Protocol):
    """A catalog.Card, as far as this file cares."""

    @property
    def id(self) -> str: ...
    @property
    def languages(self) -> list[str] | None: ...


def language_notice(card: HasLanguages, prompt: str) -> Notice | None:
    """A notice for a Hangul prompt to a model whose card names its languages, and Korean is not among
    them."""
    languages = card.languages
    if not languages or _knows_korean(languages) or not HANGUL.search(prompt):
        return None
    return Notice(
        code="language",
        message=f"{card.id} was made for {', '.join(languages)}, the prompt is Korean; "
        f"{KOREAN_CAPABLE} knows Korean",
        params={"model": card.id, "languages": languages, "language": "ko", "offer": KOREAN_CAPABLE},
    )


def data_notice(name: str, languages: Sequence[str] | None, rows: Iterable[str]) -> Notice | None:
    """A notice for rows, most of them with Hangul, to a model whose card names its languages, and Korean is
    not among them."""
    if not languages or _knows_korean(languages):
        return None
    found = [bool(HANGUL.search(row)) for row in rows]
    if 2 * sum(found) <= len(found):
        return None
    return Notice(
        code="language",
        message=f"{name} was made for {', '.join(languages)}, the rows are Korean: it would have to learn "
        f"the language first, from far more rows; {KOREAN_CAPABLE} knows Korean",
        params={"model": name, "languages": list(languages), "language": "ko", "offer": KOREAN_CAPABLE},
    )


def _knows_korean(languages: Sequence[str]) -> bool:
    return bool({"ko", "kor", "korean", "multilingual"} & {word.lower() for word in languages})
