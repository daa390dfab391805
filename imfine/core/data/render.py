"""Rows to what a text model reads, with the parts marked that it learns: text first, then tokens.

With a chat template: the model's own, in jinja's sandbox; where an answer begins and ends is found by
rendering the turns before it, without it and with it. Without one: the parts one after another, and the token
that ends a text. Knows no batch and no loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from imfine.core.data.dataset import Dataset
from imfine.core.data.findings import Finding, Notes, Place
from imfine.core.data.rows import Pair, Picture, Row, Text
from imfine.core.events import Phase
from imfine.core.text.prompts import Message
from imfine.errors import DataError

BATCH = 256  # rows that a tokenizer gets at once
Span = tuple[int, int]  # characters, from and to


@dataclass(frozen=True)
class Example:
    """One example: its tokens, and for each whether it is a target of the loss."""

    ids: list[int]
    trained: list[bool]


@dataclass(frozen=True)
class Rendered:
    """A row as text. `answers`: the characters to be learned where only answers are; `special`: whether the
    tokenizer adds what it adds to every text; `stable`: whether the answers could be found."""

    text: str
    answers: tuple[Span, ...]
    special: bool
    stable: bool = True


@dataclass(frozen=True)
class Counted:
    """The tokens of a data set under one model. `longest` is before anything is cut."""

    rows: int
    tokens: int
    trained: int
    longest: int
    findings: list[Finding]

    def to_json(self, length: int) -> dict[str, Any]:
        """`length`: tokens of a row that were read."""
        findings = [finding.to_json() for finding in self.findings]
        return {**vars(self), "length": length, "findings": findings}


def render(row: Row, tokenizer: Any, *, answers_only: bool = True, max_length: int) -> Example:
    """The tokens of a row, cut at `max_length`.

    Raises: DataError for a picture, or turns that the model's template refuses.
    """
    [(example, _)] = _examples([rendered(row, tokenizer)], tokenizer, answers_only=answers_only)
    return Example(example.ids[:max_length], example.trained[:max_length])


def tokens(
    dataset: Dataset,
    tokenizer: Any,
    *,
    answers_only: bool = True,
    max_length: int,
    first: int | None = None,
) -> Iterator[Phase | Counted]:
    """Counts, in all rows or the `first`; yields how far it is, and what it found last. Streams."""
    rows = dataset.rows if first is None else min(first, dataset.rows)
    notes, reason = Notes(), ""
    count = trained = longest = 0
    for begin in range(0, rows, BATCH):
        yield Phase("measuring", begin, rows, "parts")
        texts: list[Rendered] = []
        places: list[Place] = []
        for i in range(begin, min(begin + BATCH, rows)):
            place = Place(dataset.line(i))
            try:
                texts.append(rendered(dataset.row(i), tokenizer))
                places.append(place)
            except DataError as error:
                reason = reason or error.message
                notes.note("template_refused", place)
        examples = _examples(texts, tokenizer, answers_only=answers_only)
        for place, (example, stable) in zip(places, examples, strict=True):
            if not stable and answers_only:
                notes.note("template_unstable", place)
            if len(example.ids) > max_length:
                notes.note("too_long", place)
                if not any(example.trained[:max_length]):
                    notes.note("answer_cut", place)
            longest = max(longest, len(example.ids))
            count += len(example.ids[:max_length])
            trained += sum(example.trained[:max_length])
    more: dict[str, dict[str, Any]] = {
        "too_long": {"rows": rows, "max_length": max_length},
        "template_refused": {"reason": reason},
    }
    findings = [found for code in notes.counts if (found := notes.finding(code, **more.get(code, {})))]
    yield Counted(rows, count, trained, longest, findings)


def preview(dataset: Dataset, tokenizer: Any | None, n: int) -> list[dict[str, Any]]:
    """The first `n` rows as {"pieces": [{"text", "trained"}]}: joined, the pieces are the rendered text.

    Without a tokenizer: the row's own words. Of pictures: the caption, and "picture".
    """
    shown: list[dict[str, Any]] = []
    for i in range(min(n, dataset.rows)):
        row = dataset.row(i)
        if isinstance(row, Picture):
            picture = {"file": row.path.name, "width": row.width, "height": row.height}
            shown.append({"pieces": [{"text": row.caption, "trained": True}], "picture": picture})
        else:
            shown.append({"pieces": _pieces(row, tokenizer)})
    return shown


# ---------------------------------------------------------------- text


def rendered(row: Row, tokenizer: Any | None) -> Rendered:
    """Raises: DataError for a picture, or turns that the model's template refuses."""
    if isinstance(row, Picture):
        raise DataError("a text model reads no pictures", remedy="choose an image model", field="dataset")
    end = "" if tokenizer is None else tokenizer.eos_token or ""
    if isinstance(row, Text):
        text = row.text + (end if row.ends else "")
        return Rendered(text, ((0, len(text)),), special=True)
    if isinstance(row, Pair):
        messages: tuple[Message, ...] = (Message("user", row.prompt), Message("assistant", row.completion))
    else:
        messages = row.messages
    if tokenizer is None or tokenizer.chat_template is None:
        return _plain(messages, end)
    return _chat(messages, tokenizer)


def _plain(messages: Sequence[Message], end: str) -> Rendered:
    """The parts, on lines of their own unless they bring the white space between them themselves."""
    text, answers = "", list[Span]()
    for message in messages:
        begin = len(text)
        glued = text and not text[-1].isspace() and not message.content[:1].isspace()
        text += ("\n" if glued and message.content else "") + message.content
        if message.role == "assistant":
            answers.append((begin, len(text)))
    if end and messages[-1].role == "assistant":
        text += end
        answers[-1] = (answers[-1][0], len(text))
    return Rendered(text, tuple(answers), special=True)


def _chat(messages: Sequence[Message], tokenizer: Any) -> Rendered:
    """An answer is learned from where the model would be asked for it up to the token that ends it."""
    text = _templated(tokenizer, messages, ask=False)
    answers: list[Span] = []
    try:
        for i, message in enumerate(messages):
            if message.role == "assistant":
                answers.append(_answer(text, messages, i, tokenizer))
    except _Unstable:
        return Rendered(text, ((0, len(text)),), special=False, stable=False)
    return Rendered(text, tuple(answers), special=False)


class _Unstable(Exception):
    """The template renders a turn otherwise where others follow it."""


def _answer(text: str, messages: Sequence[Message], i: int, tokenizer: Any) -> Span:
    if not i:  # nothing before it to render
        raise _Unstable
    try:
        asked = _templated(tokenizer, messages[:i], ask=True)
        before = _templated(tokenizer, messages[:i], ask=False)
        after = text if i + 1 == len(messages) else _templated(tokenizer, messages[: i + 1], ask=False)
    except DataError:  # part of a conversation may not be one that the template takes
        raise _Unstable from None
    # what asks for an answer may say more than what introduces a given one ("<think>")
    begin = next(
        (at for at, pair in enumerate(zip(asked, text, strict=False)) if pair[0] != pair[1]), len(asked)
    )
    words = messages[i].content.strip()
    whole = text.startswith(after) and text.startswith(before) and begin >= len(before)
    if not whole or words not in text[begin : len(after)]:
        raise _Unstable
    end = len(after)
    eos = tokenizer.eos_token
    if eos and after.rstrip().endswith(eos):  # an answer is over there; white space may follow it
        end = len(after.rstrip())
    return begin, end


def _templated(tokenizer: Any, messages: Sequence[Message], *, ask: bool) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as e:
        # a template may refuse, e.g. Gemma's a system turn; and it is the model's, so it may be wrong
        raise DataError(
            f"the model's chat template refuses these turns: {(str(e) or type(e).__name__)[:200]}",
            remedy="change the turns' roles, or choose another model",
            field="dataset",
            value=" ".join(message.role for message in messages)[:200],
            reason="template",
        ) from e
    return text


# ---------------------------------------------------------------- tokens


def _examples(texts: Sequence[Rendered], tokenizer: Any, *, answers_only: bool) -> list[tuple[Example, bool]]:
    """Uncut, each with whether its answers could be found."""
    made: dict[int, Example] = {}
    for special in (False, True):
        chosen = [i for i, each in enumerate(texts) if each.special == special]
        if not chosen:
            continue
        batch = tokenizer(
            [texts[i].text for i in chosen],
            add_special_tokens=special,
            return_offsets_mapping=True,
            verbose=False,
        )
        for i, ids, offsets in zip(chosen, batch["input_ids"], batch["offset_mapping"], strict=True):
            made[i] = _marked(texts[i], list(ids), offsets, tokenizer, answers_only=answers_only)
    return [(made[i], texts[i].stable) for i in range(len(texts))]


def _marked(
    text: Rendered, ids: list[int], offsets: Sequence[Span], tokenizer: Any, *, answers_only: bool
) -> Example:
    spans = text.answers if answers_only else ((0, len(text.text)),)
    trained = _marks(offsets, spans)
    end = tokenizer.eos_token_id
    if text.special and len(ids) > 1 and ids[-1] == ids[-2] == end:  # the tokenizer adds one of its own
        del ids[-1], trained[-1]
    return Example(ids, trained)


def _ranges(offsets: Sequence[Span]) -> Iterator[Span]:
    """The characters of each token: byte-level tokenizers leave out the spaces that tokens begin with."""
    past = 0
    for at, end in offsets:
        yield min(at, past) if end > past else at, end
        past = max(past, end)


def _marks(offsets: Sequence[Span], spans: Sequence[Span]) -> list[bool]:
    """Whether any character of each token lies in one of the rising spans. What a tokenizer adds has none."""
    marks, k = list[bool](), 0
    for begin, end in _ranges(offsets):
        while k < len(spans) and spans[k][1] <= begin:
            k += 1
        marks.append(k < len(spans) and spans[k][0] < end)
    return marks


def _pieces(row: Row, tokenizer: Any | None) -> list[dict[str, Any]]:
    """Cut where learning begins and ends: at tokens, where there is a tokenizer."""
    text = rendered(row, tokenizer)
    spans: Sequence[Span] = text.answers
    if tokenizer is not None:
        batch = tokenizer(
            [text.text], add_special_tokens=text.special, return_offsets_mapping=True, verbose=False
        )
        offsets = batch["offset_mapping"][0]
        marked = zip(_ranges(offsets), _marks(offsets, spans), strict=True)
        spans = [token for token, trained in marked if trained]
    return _cut(text.text, spans)


def _cut(text: str, spans: Sequence[Span]) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    at = 0

    def add(to: int, *, trained: bool) -> None:
        nonlocal at
        if to <= at:
            return
        if pieces and pieces[-1]["trained"] == trained:
            pieces[-1]["text"] += text[at:to]
        else:
            pieces.append({"text": text[at:to], "trained": trained})
        at = to

    for begin, end in spans:
        add(begin, trained=False)
        add(end, trained=True)
    add(len(text), trained=False)
    return pieces
