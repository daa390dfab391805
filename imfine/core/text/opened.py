"""A request while the decoder has it: answers, the rows still being written, a clock. Knows no batch."""

from __future__ import annotations

import secrets
import time
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import torch

from imfine.core import memory
from imfine.core.events import Event, LaneEnd, Notice, Tokens
from imfine.core.lanes import Lane, check_lanes
from imfine.core.models.languages import language_notice
from imfine.core.recipe import Recipe
from imfine.core.text.answers import Answer, KeptAnswers
from imfine.core.text.prompts import Prompt, encode
from imfine.core.text.request import TextRequest
from imfine.core.text.rows import Limits, Row
from imfine.errors import OutOfMemory, PromptTooLong

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel


class Opened:
    """`answers[i]` is lane i's. Lanes with the same recipe and prompt share one."""

    def __init__(self, request_id: str, request: TextRequest) -> None:
        self.id = request_id
        self.request = request
        self.seed = secrets.randbelow(2**32) if request.sampling.seed is None else request.sampling.seed
        self.answers: list[Answer] = []
        self.rows: list[Row] = []  # whose answers are not whole yet
        self.kept: list[Answer] = []  # of the original, whole and not told yet
        self.failed = False
        self.prefill_s = self.decode_s = self.first_token_ms = 0.0
        self._keys: dict[Answer, Hashable] = {}  # under which an answer of the original is kept
        self._first_ms: dict[Answer, float] = {}
        self._joined = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it joined."""
        return time.perf_counter() - self._joined

    def lanes_of(self, answer: Answer) -> list[int]:
        return [i for i, other in enumerate(self.answers) if other is answer]

    def prefilled(self) -> None:
        self.prefill_s = self.seconds

    def told(self, row: Row, events: Sequence[Tokens]) -> None:
        """Notes when an answer's first token came out."""
        if events and row.answer not in self._first_ms:
            self._first_ms[row.answer] = self.seconds * 1e3

    def ends(self, answer: Answer) -> list[Event]:
        """The ends of the answer's lanes."""
        assert answer.finish_reason is not None
        first_ms = self._first_ms.setdefault(answer, self.seconds * 1e3)
        if not answer.kept:
            answer.tokens_per_s = len(answer.ids) / max(self.seconds, 1e-9)
        self.decode_s = self.seconds - self.prefill_s
        self.first_token_ms = min(self._first_ms.values())
        return [
            LaneEnd(lane, answer.finish_reason, len(answer.ids), answer.tokens_per_s, first_ms)
            for lane in self.lanes_of(answer)
        ]

    def take_kept(self) -> list[Event]:
        """The kept answers' events, once."""
        events: list[Event] = []
        for answer in self.kept:
            events += [*answer.tokens(self.lanes_of(answer)), *self.ends(answer)]
        self.kept = []
        return events

    def first_ms(self, answer: Answer) -> float:
        return self._first_ms[answer]

    def timing(self) -> dict[str, float]:
        """Seconds; `first_token_ms` is the first lane's."""
        return {
            "prefill_s": self.prefill_s,
            "decode_s": self.decode_s,
            "total_s": self.seconds,
            "first_token_ms": self.first_token_ms,
        }

    def keep(self, kept: KeptAnswers, answer: Answer) -> None:
        if answer in self._keys:
            kept.answers.keep(self._keys[answer], answer)


def open_request(
    model: LoadedModel, request_id: str, request: TextRequest, limits: Limits
) -> tuple[Opened, list[Event]]:
    """Checks and tokenises a request; its notices."""
    sampling = request.sampling
    check_lanes(request.lanes)
    opened = Opened(request_id, request)
    distinct: dict[tuple[Recipe, tuple[int, ...]], Answer] = {}
    encoded: dict[Prompt, tuple[int, ...]] = {}
    for lane in request.lanes:
        lane.recipe.check(model.layout)
        prompt = request.prompt if lane.prompt is None else lane.prompt
        if prompt not in encoded:
            encoded[prompt] = _encode(model, prompt, raw=sampling.raw)
        ids = encoded[prompt]
        if (lane.recipe, ids) not in distinct:
            distinct[lane.recipe, ids] = _answer(model, opened, lane, ids)
        opened.answers.append(distinct[lane.recipe, ids])

    new = [answer for answer in distinct.values() if answer.finish_reason is None]
    new.sort(key=lambda answer: answer.prompt_ids)  # the same prompts side by side, for the prefill
    _check_memory(model, new, sampling.max_new_tokens)
    opened.rows = [
        Row(answer, opened.lanes_of(answer), sampling.with_seed(opened.seed), model.tokenizer, limits)
        for answer in new
    ]
    opened.kept = [answer for answer in distinct.values() if answer.kept]
    return opened, _notices(model, opened, encoded)


def _encode(model: LoadedModel, prompt: Prompt, *, raw: bool) -> tuple[int, ...]:
    ids = encode(model.tokenizer, prompt, raw=raw)
    context = model.layout.context_length
    if len(ids) >= context:
        raise PromptTooLong(
            f"the prompt has {len(ids)} tokens, {model.id} reads {context}",
            remedy=f"shorten it to fewer than {context} tokens",
            field="prompt",
            value=len(ids),
            tokens=len(ids),
            limit=context,
        )
    return tuple(ids)


def _answer(model: LoadedModel, opened: Opened, lane: Lane, ids: tuple[int, ...]) -> Answer:
    """A kept answer of the original, or a new one."""
    answer = Answer(lane.recipe, ids)
    if not lane.recipe.is_neutral:
        return answer
    sampling = opened.request.sampling
    seed = 0 if sampling.greedy else opened.seed
    key = (model.checksum, ids, sampling.with_seed(seed), opened.request.top)
    if found := model.kept.answers.find(key):
        return found.again()
    opened._keys[answer] = key
    return answer


def _notices(model: LoadedModel, opened: Opened, encoded: dict[Prompt, tuple[int, ...]]) -> list[Event]:
    notices: list[Event] = []
    for prompt, ids in encoded.items():
        words = prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)
        if (notice := language_notice(model.card, words)) and notice not in notices:
            notices.append(notice)
        wanted, context = opened.request.sampling.max_new_tokens, model.layout.context_length
        if len(ids) + wanted > context:
            notices.append(
                Notice(
                    "context_overflow",
                    f"the prompt has {len(ids)} tokens, and {model.id} reads {context} in all:"
                    f" the answer ends after {context - len(ids)} tokens, not {wanted}",
                    {"tokens": len(ids), "limit": context, "room": context - len(ids), "wanted": wanted},
                )
            )
    return notices


def _check_memory(model: LoadedModel, answers: Sequence[Answer], more: int) -> None:
    """Keys and values must fit before anything is begun."""
    columns = max((len(answer.prompt_ids) for answer in answers), default=0) + more
    need = memory.kv_cache(model.layout, model.dtype, len(answers), columns)
    on_gpu = model.device.startswith("cuda")
    have = torch.cuda.mem_get_info(model.device)[0] if on_gpu else memory.available()
    if need > have:
        fits = have * len(answers) // need
        raise OutOfMemory(
            f"{len(answers)} lanes of {columns} tokens need {need / 1e9:.1f} GB, {have / 1e9:.1f} are free",
            remedy=f"ask for {fits} lanes, or fewer tokens" if fits else "ask for fewer tokens",
            field="lanes",
            value=len(answers),
            need=need,
            have=have,
        )
