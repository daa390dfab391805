"""The batch of one warm model: rows of different requests join, step together, and leave. One owner thread.

    decoder.join("a", request)          checks and tokenises; raises what is wrong with the request
    for who, event in decoder.step():   a prefill where one waits, else one token for every row
    decoder.leave("a")                  at any step boundary

A step may be broken off between two layers, by whoever has something more urgent: a slider's move is not kept
waiting for a word that nobody will read. What was broken off is begun again with the next step.

A step yields each request's events in order: tokens … lane_end (per lane) … measures (per lane) … result.
Where one request goes wrong an ImfineError stands in the place of its result, and its neighbours go on. The
original's kept answers cost no row. They are long, so they come after the first new token, not before it.
Knows no thread, no queue, and not how a token is chosen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from imfine.core.deltas.loaded import load_deltas
from imfine.core.events import Candidate, Event, Phase
from imfine.core.lanes import BreaksOff, never
from imfine.core.text.answers import Answer
from imfine.core.text.cache import BrokenOff, may_break_off
from imfine.core.text.forward import forward, new_cache, prefill
from imfine.core.text.opened import Opened, open_request
from imfine.core.text.request import TextRequest
from imfine.core.text.results import finish
from imfine.core.text.rows import Limits, Row
from imfine.errors import BrokenNumbers, ImfineError, OutOfMemory

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel

MAX_ROWS = 48  # a request of 32 lanes, and live ones beside it


class Decoder:
    def __init__(self, model: LoadedModel, max_rows: int = MAX_ROWS) -> None:
        self.model = model
        self.max_rows = max_rows
        self._limits = Limits(_eos_ids(model), model.layout.context_length)
        self._cache = new_cache(model)
        self._batch: list[tuple[Opened, Row]] = []  # in the order of the cache's rows
        self._plan = model.equalizer.plan([])
        self._waiting: deque[Opened] = deque()  # for their prefill
        self._finishing: deque[tuple[Opened, Iterator[Event]]] = deque()  # all lanes ended, being measured
        self._out: list[tuple[str, Event | ImfineError]] = []
        self._was_broken_off = False  # the last step of all rows: the next one is carried through

    @property
    def rows(self) -> int:
        """Rows of the batch, and those that wait for their prefill."""
        return len(self._batch) + sum(len(opened.rows) for opened in self._waiting)

    @property
    def free_rows(self) -> int:
        return max(0, self.max_rows - self.rows)

    @property
    def busy(self) -> bool:
        """There is something to do, or to tell. A step may tell nothing: text that could become a stop string
        is held back."""
        return bool(self._batch or self._waiting or self._finishing or self._out)

    @property
    def delta_bytes(self) -> int:
        return self.model.equalizer.delta_bytes

    def prepare(self, request: TextRequest) -> Iterator[Phase]:
        """Reads the deltas that the request's recipes name, and the model does not have in memory yet.

        Raises: RecipeError (no such delta), AdapterError, ModelBroken, OutOfMemory.
        """
        others = [*self._waiting, *(opened for opened, _ in (*self._batch, *self._finishing))]
        in_use = {id for opened in others for lane in opened.request.lanes for id in lane.recipe.named_deltas}
        yield from load_deltas(self.model, [lane.recipe for lane in request.lanes], in_use)

    def join(self, request_id: str, request: TextRequest) -> None:
        """Takes a request in; its first tokens come with the next step.

        Raises:
            Invalid: an empty prompt, turns that the chat template refuses, too many lanes.
            RecipeError: a recipe that does not fit the model, or a delta of it that was not prepared.
            PromptTooLong: a prompt that fills the context window.
            OutOfMemory: the keys and values of so many lanes and tokens do not fit.
        """
        opened, notices = open_request(self.model, request_id, request, self._limits)
        self._tell(opened, notices)
        if opened.rows:
            self._waiting.append(opened)
        else:
            self._finish(opened)

    @torch.inference_mode()
    def step(self, breaks_off: BreaksOff = never) -> list[tuple[str, Event | ImfineError]]:
        """`breaks_off` is asked of a request's prefill, and with None of a step of all rows or a measuring.

        What came since the last step; an empty list where there was nothing to do, or it was broken off.

        A request whose prefill is broken off has to `leave`.
        """

        def urgent() -> bool:  # never twice in a row
            return not self._was_broken_off and breaks_off(None)

        for opened in dict.fromkeys(opened for opened, _ in self._batch):
            self._tell(opened, opened.take_kept())
        if self._waiting:
            opened = self._waiting.popleft()
            with may_break_off(lambda: breaks_off(opened.id)):
                self._prefill(opened)
        elif self._batch:
            with may_break_off(urgent):
                self._advance()
        if self._finishing and not self._waiting:  # measuring is cut in pieces: no row waits long for it
            opened, events = self._finishing[0]
            with may_break_off(urgent):
                event = next(events, None)
            if event is None:
                self._finishing.popleft()
            else:
                self._tell(opened, [event])
        out, self._out = self._out, []
        return out

    @torch.inference_mode()
    def leave(self, request_id: str) -> list[Event]:
        """Ends a request where it stands. Returns what its unfinished lanes had not told, and their ends."""
        events = [
            event for who, event in self._out if who == request_id and not isinstance(event, ImfineError)
        ]
        for opened in {opened for opened, _ in self._batch} | set(self._waiting):
            if opened.id == request_id:
                events += opened.take_kept()
                for row in opened.rows:
                    events += [*row.break_off(), *opened.ends(row.answer)]
        self._forget(request_id)
        return events

    def _forget(self, request_id: str) -> None:
        self._out = [(who, event) for who, event in self._out if who != request_id]
        self._waiting = deque(opened for opened in self._waiting if opened.id != request_id)
        self._finishing = deque(each for each in self._finishing if each[0].id != request_id)
        self._drop([i for i, (opened, _) in enumerate(self._batch) if opened.id == request_id])

    # -- a step

    def _prefill(self, opened: Opened) -> None:
        """Lanes with the same prompt go through together, and join the batch."""
        model, sampling = self.model, opened.request.sampling
        try:
            for ids, same in groupby(opened.rows, key=lambda row: row.prompt_ids):
                rows = list(same)
                cache = new_cache(model) if self._batch else self._cache
                plan = model.equalizer.plan([row.answer.recipe for row in rows])
                logits = prefill(model, ids, len(rows), cache, plan, more=sampling.max_new_tokens)
                if cache is not self._cache:
                    self._cache.absorb(cache)
                self._batch += [(opened, row) for row in rows]
                self._take(len(self._batch) - len(rows), logits)
        except BrokenOff:
            if not self._batch:
                self._cache.clear()
            self._waiting.appendleft(opened)
            return
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error):
                raise
            if not self._batch:
                self._cache.clear()
            self._fail(opened, _out_of_memory(opened, error))
        opened.prefilled()
        self._replan()

    def _advance(self) -> None:
        last = torch.tensor([[row.ids[-1]] for _, row in self._batch], device=self._cache.device)  # (B, 1)
        self._cache.begin(1)
        try:
            logits = forward(self.model, last, self._cache, self._plan)[:, -1]  # (B, V)
        except BrokenOff:
            self._was_broken_off = True
            return
        self._was_broken_off = False
        self._take(0, logits)

    def _take(self, first: int, logits: torch.Tensor) -> None:
        """Logits (B, V) of the rows from `first` on: each takes a token, and leaves if it was its last."""
        batch = self._batch[first:]
        best, likeliest = logits.float().max(-1)  # NaN and +inf win, so `best` shows every broken row
        finite, tokens = best.isfinite().tolist(), likeliest.tolist()
        for i, (opened, row) in enumerate(batch):
            if not finite[i]:
                self._fail(opened, _broken(row.answer))
            elif row.answer.finish_reason is None and row in opened.rows:
                token = tokens[i] if row.chooser.plain else row.chooser(row.ids, logits[i])
                top = self._top(logits[i], opened.request.top)
                events = row.take(token, top)
                opened.told(row, events)
                self._tell(opened, events)
                if row.answer.finish_reason:
                    self._end(opened, row)
        done = [i for i, (opened, row) in enumerate(self._batch) if row not in opened.rows]
        if done:
            self._drop(done)

    def _top(self, logits: torch.Tensor, count: int) -> list[Candidate] | None:
        if not count:
            return None
        p, ids = logits.float().softmax(-1).topk(count)
        decode = self.model.tokenizer.decode
        return [Candidate(i, decode([i]), q) for i, q in zip(ids.tolist(), p.tolist(), strict=True)]

    def _end(self, opened: Opened, row: Row) -> None:
        opened.rows.remove(row)
        self._tell(opened, opened.ends(row.answer))
        opened.keep(self.model.kept, row.answer)
        if not opened.rows:
            self._finish(opened)

    def _finish(self, opened: Opened) -> None:
        """All its lanes have ended: it is measured."""
        self._tell(opened, opened.take_kept())
        self._finishing.append((opened, finish(self.model, opened)))

    def _fail(self, opened: Opened, error: ImfineError) -> None:
        """The request ends with an error; what its lanes said before stays said."""
        if opened.failed:
            return
        opened.failed = True
        opened.rows.clear()
        self._tell(opened, opened.take_kept())
        self._out.append((opened.id, error))

    def _drop(self, indices: Sequence[int]) -> None:
        for i in reversed(indices):  # from the last, so that the row moved into its place is one that stays
            self._cache.drop(i)
            self._batch[i] = self._batch[-1]
            self._batch.pop()
        if indices:
            self._replan()

    def _replan(self) -> None:
        self._plan = self.model.equalizer.plan([row.answer.recipe for _, row in self._batch])

    def _tell(self, opened: Opened, events: Sequence[Event]) -> None:
        self._out += [(opened.id, event) for event in events]


def _eos_ids(model: LoadedModel) -> tuple[int, ...]:
    """Where generate() would stop; the tokenizer's word where the model's files are silent."""
    config = getattr(model.module, "generation_config", None)
    for ids in (getattr(config, "eos_token_id", None), model.tokenizer.eos_token_id):
        if ids is not None:
            return tuple(ids) if isinstance(ids, (list, tuple)) else (ids,)
    return ()


def _broken(answer: Answer) -> BrokenNumbers:
    return BrokenNumbers(
        f"the logits are not finite after {len(answer.ids)} tokens: the recipe broke the model's numbers",
        remedy="bring the gains nearer to 1, or eps nearer to its own value",
        field="recipe",
        tokens=len(answer.ids),
    )


def _out_of_memory(opened: Opened, error: Exception) -> OutOfMemory:
    return OutOfMemory(
        f"the memory ran out while {len(opened.answers)} lanes read the prompt",
        remedy="ask for fewer lanes, or shorten the prompt",
        field="lanes",
        value=len(opened.answers),
        detail=str(error)[:200],
    )
