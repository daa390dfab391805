"""What a person should know of the data before a run learns from it: notices, none of which stops it.

Knows the rows' tokens, the pictures' captions and the split, no loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from imfine.core.data.render import rendered
from imfine.core.events import Notice
from imfine.core.image.encode import unread
from imfine.core.models.languages import data_notice
from imfine.core.models.local import Local
from imfine.core.train.data import Data
from imfine.core.train.plan import Plan
from imfine.core.train.tokens import Tokens

LOOKED_AT = 200  # rows whose letters are looked at, spread over all


def of_the_split(
    tokens: Tokens, learn: Iterable[int], held_out: Sequence[int], plan: Plan, length: int
) -> Iterator[Notice]:
    """Rows that leave none to measure with, that are measured with what was learned, or that are cut."""
    rows = len(tokens)
    measured = [row for row in held_out if tokens.lengths[row]]
    if plan.eval_share and not measured:
        yield _nothing_held_out(rows, "row")
    if repeats := repeated(tokens, learn, measured):
        yield Notice(
            "held_out_repeats",
            f"{repeats:,} of the {len(measured):,} held-out rows are also learned from, word for word: "
            "the held-out loss tells what is known by heart, not what was understood",
            {"repeats": repeats, "held_out": len(measured)},
        )
    if full := sum(size == length for size in tokens.lengths):
        yield Notice(
            "rows_full",
            f"{full:,} of {rows:,} rows fill all {length:,} tokens of a sequence: what is longer is cut off; "
            "raise the length to learn it too",
            {"full": full, "rows": rows, "length": length},
        )


def of_the_captions(
    captions: Sequence[str], tokenizers: Sequence[Any], held_out: Sequence[int], plan: Plan
) -> Iterator[Notice]:
    """Pictures that leave none to measure with, or whose captions no text encoder reads to their end."""
    if plan.eval_share and not held_out:
        yield _nothing_held_out(len(captions), "picture")
    if cut := sum(any(unread(tokenizer, each) for tokenizer in tokenizers) for each in captions):
        window = min(tokenizer.model_max_length for tokenizer in tokenizers)
        yield Notice(
            "captions_cut",
            f"the captions of {cut:,} of {len(captions):,} pictures are longer than the {window - 2} tokens "
            "that the model reads: their ends are not learned",
            {"cut": cut, "rows": len(captions), "window": window - 2},
        )


def _nothing_held_out(rows: int, of: str) -> Notice:
    return Notice(
        "nothing_held_out",
        f"of {rows:,} {of if rows == 1 else f'{of}s'} none is left to measure with: the run learns by "
        "heart, and no held-out loss tells how far",
        {"rows": rows},
    )


def of_the_language(data: Data, tokens: Tokens, tokenizer: Any, local: Local, name: str) -> Iterator[Notice]:
    """Rows in a language that the model called `name` does not know."""
    some = range(0, data.rows, max(1, data.rows // LOOKED_AT))
    texts = (rendered(data.row(row), tokenizer).text for row in some if tokens.lengths[row])
    if found := data_notice(name, local.facts.get("languages"), texts):
        yield found


def repeated(tokens: Tokens, learn: Iterable[int], held_out: Sequence[int]) -> int:
    """How many of the held-out rows are among those to learn, token by token."""
    sizes = {tokens.lengths[row] for row in held_out}
    wanted = {tokens.words(row) for row in held_out}
    same = (tokens.words(row) for row in learn if tokens.lengths[row] in sizes)
    found = wanted.intersection(same)
    return sum(tokens.words(row) in found for row in held_out)
