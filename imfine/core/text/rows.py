"""A row of the batch: one answer being written, token by token. Knows no batch and no model's forward.

Lanes of a request with the same recipe and prompt share a row: they would say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imfine.core.events import Candidate, Tokens
from imfine.core.sampling import Sampling
from imfine.core.text.answers import Answer, FinishReason
from imfine.core.text.detokenise import Detokenizer, StopStrings
from imfine.core.text.processors import Chooser


@dataclass(frozen=True)
class Limits:
    """Where answers of a model end."""

    eos_ids: tuple[int, ...]
    context_length: int


class Row:
    def __init__(
        self, answer: Answer, lanes: Sequence[int], sampling: Sampling, tokenizer: Any, limits: Limits
    ) -> None:
        room = limits.context_length - len(answer.prompt_ids)
        self.answer = answer
        self.lanes = tuple(lanes)
        self.ids = list(answer.prompt_ids)  # prompt and answer
        self.chooser = Chooser(sampling, len(self.ids), limits.eos_ids)
        self._eos_ids = limits.eos_ids
        self._most = min(sampling.max_new_tokens, room)
        self._at_most: FinishReason = "length" if sampling.max_new_tokens <= room else "context"
        self._text = Detokenizer(tokenizer)
        self._stops: StopStrings[list[Candidate] | None] = StopStrings(sampling.stop)

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        return self.answer.prompt_ids

    def take(self, token: int, top: list[Candidate] | None) -> list[Tokens]:
        """The answer's next token: what can be told now, for each lane. Ends the answer with its last."""
        answer = self.answer
        answer.ids.append(token)
        self.ids.append(token)
        piece = self._text.push(token)
        reason: FinishReason | None = None
        if token in self._eos_ids:
            reason = "stop"
        elif len(answer.ids) >= self._most:
            reason = self._at_most
        if reason:
            piece += self._text.flush()
        passed = self._stops.push(top, piece)
        if self._stops.hit:
            reason = "stop"
        elif reason:
            passed += self._stops.flush()
        answer.finish_reason = reason
        return self._told(passed)

    def break_off(self) -> list[Tokens]:
        """Ends the answer where it stands: tells what was held back."""
        self.answer.finish_reason = "cancelled"
        return self._told(self._stops.flush())

    def _told(self, passed: Sequence[tuple[list[Candidate] | None, str]]) -> list[Tokens]:
        if not passed:
            return []
        answer, start = self.answer, len(self.answer.texts)
        texts = [text for _, text in passed]
        tops = [top for top, _ in passed if top is not None]
        answer.texts += texts
        answer.tops += tops
        return answer.tokens(self.lanes, start)
