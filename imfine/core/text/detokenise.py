"""Tokens to text, one at a time, and stop strings. Knows a tokenizer's decode() and nothing of models.

The pieces, put together, are tokenizer.decode(all ids, skip_special_tokens=True): a token adds "" while its
character is not whole (a Hangul syllable or an emoji may be several tokens).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
UNFINISHED = "\ufffd"


class Detokenizer:
    """Decodes a short window that begins at a clean character boundary, and takes what is new in it.

    The window is that of text-generation-inference: one piece already told (a leading space is dropped by
    SentencePiece at the start of any decode, so it must be dropped on both sides), and what came since.
    """

    def __init__(self, tokenizer: object) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._from = self._to = 0  # ids[from:to] are told, ids[to:] are not
        self._told = ""

    def push(self, token: int) -> str:
        self._ids.append(token)
        text = self._decode(self._ids[self._from :])
        before = self._decode(self._ids[self._from : self._to])
        if text.endswith(UNFINISHED) or len(text) <= len(before):
            return ""
        self._from, self._to = self._to, len(self._ids)
        piece = text[len(before) :]
        self._told += piece
        return piece

    def flush(self) -> str:
        """What was held back for a character that never became whole."""
        whole = self._decode(self._ids)
        if whole.startswith(self._told):
            return whole[len(self._told) :]
        # SentencePiece takes a whole run of bytes back when its last character is cut off
        return self._decode(self._ids[self._to :])

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(  # type: ignore[attr-defined]
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class StopStrings(Generic[T]):
    """Lets items with a text pass, but holds back whatever could become a stop string.

    Once one is whole, `hit` is true; the text passed on ends right before it, and the items it is made of
    pass with what is left of their text.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held: list[tuple[T, str]] = []
        self.hit = False

    def push(self, item: T, text: str) -> list[tuple[T, str]]:
        if not self._stops:
            return [(item, text)]
        self._held.append((item, text))
        tail = "".join(t for _, t in self._held)
        found = [at for stop in self._stops if (at := tail.find(stop)) >= 0]
        if found:
            self.hit = True
            return self._cut(min(found))
        safe = len(tail) - max(_overlap(tail, stop) for stop in self._stops)
        passed = []
        while self._held and safe >= (size := len(self._held[0][1])):
            safe -= size
            passed.append(self._held.pop(0))
        return passed

    def flush(self) -> list[tuple[T, str]]:
        held, self._held = self._held, []
        return held

    def _cut(self, at: int) -> list[tuple[T, str]]:
        passed = []
        for item, text in self.flush():
            passed.append((item, text[: max(0, at)]))
            at -= len(text)
        return passed


def _overlap(tail: str, stop: str) -> int:
    """How many of the last characters of `tail` begin `stop`."""
    return next((n for n in range(min(len(tail), len(stop) - 1), 0, -1) if tail.endswith(stop[:n])), 0)
