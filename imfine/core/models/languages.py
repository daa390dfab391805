"""Whether a model was made for the language of a prompt. Plain Python; knows scripts, not languages.

Only what letters alone can prove is told: Hangul is Korean. A model whose card names no languages is left
in peace.
"""

from __future__ import annotations

import re
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
    if not languages or {"ko", "kor", "korean", "multilingual"} & {word.lower() for word in languages}:
        return None
    if not HANGUL.search(prompt):
        return None
    return Notice(
        code="language",
        message=f"{card.id} was made for {', '.join(languages)}, the prompt is Korean; "
        f"{KOREAN_CAPABLE} knows Korean",
        params={"model": card.id, "languages": languages, "language": "ko", "offer": KOREAN_CAPABLE},
    )
