"""What training asks of a data set and of rendering. The one place that knows imfine.core.data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from imfine.core.data.render import render
from imfine.core.families import Layout
from imfine.core.train.plan import Plan
from imfine.core.train.tokens import Example
from imfine.errors import Invalid


class Data(Protocol):
    """imfine.core.data's Dataset. `split` gives the rows to learn from and those held out."""

    @property
    def rows(self) -> int: ...
    @property
    def hash(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def row(self, index: int, /) -> Any: ...
    def split(self, seed: int, eval_share: float, /) -> tuple[Iterable[int], Iterable[int]]: ...


def check_kind(layout: Layout, data: Data) -> None:
    """Raises: Invalid when one is of words and the other of pictures."""
    if data.kind != layout.kind:
        draws, pictures = layout.kind == "image", data.kind == "image"
        raise Invalid(
            f"the model {'draws pictures' if draws else 'writes text'}, "
            f"the data are {'pictures' if pictures else 'text'}",
            remedy="give pictures with captions" if draws else "give text",
            field="data",
            value=data.hash,
        )


def rendered(data: Data, tokenizer: Any, plan: Plan, length: int) -> Callable[[int], Example]:
    """Row → its tokens, at most `length`."""

    def example(index: int) -> Example:
        return render(data.row(index), tokenizer, answers_only=plan.answers_only, max_length=length)

    return example
