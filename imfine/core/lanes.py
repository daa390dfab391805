"""Lanes, which a request for text and one for pictures share, and the way to work one request off alone.

Knows no model, and not what a lane answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from imfine.core.events import Event, Phase
from imfine.core.recipe import Recipe
from imfine.core.text.prompts import Prompt
from imfine.errors import ImfineError, Invalid

MAX_LANES = 32


@dataclass(frozen=True)
class Lane:
    """One answer: a recipe, and a prompt of its own where it is not the request's."""

    name: str
    recipe: Recipe = field(default_factory=Recipe)
    prompt: Prompt | None = None


# shall what one request alone waits for be broken off? None: what all of them wait for
BreaksOff = Callable[[str | None], bool]


def never(request_id: str | None) -> bool:
    """A step is carried through."""
    return False


def pair(recipe: Recipe | Mapping[str, Any] | None, knobs: Mapping[str, Any]) -> tuple[Lane, Lane]:
    """The original's lane and the tuned model's, which `compare` is asked for by a recipe or by its parts.

    Raises: Invalid where both are given; RecipeError.
    """
    if recipe is not None and knobs:
        raise Invalid(
            f"compare got a recipe and {', '.join(knobs)}", remedy="give one or the other", field="recipe"
        )
    tuned = recipe if isinstance(recipe, Recipe) else Recipe.parse(knobs if recipe is None else recipe)
    return Lane("base"), Lane("tuned", tuned)


class Batch(Protocol):
    """A warm model's batch: core.text.decoder.Decoder or core.image.painter.Painter."""

    @property
    def rows(self) -> int: ...
    @property
    def free_rows(self) -> int: ...
    @property
    def busy(self) -> bool: ...
    @property
    def delta_bytes(self) -> int:
        """Memory beside the model's own: its deltas."""
        ...

    def prepare(self, request: Any) -> Iterator[Phase]:
        """Reads the deltas that the request's recipes name. Raises: what load_deltas raises."""
        ...

    def join(self, request_id: str, request: Any) -> None: ...
    def leave(self, request_id: str) -> list[Event]: ...
    def step(self, breaks_off: BreaksOff = never) -> list[tuple[str, Event | ImfineError]]: ...


def check_lanes(lanes: Sequence[Lane]) -> None:
    """Raises: Invalid."""
    if not 1 <= len(lanes) <= MAX_LANES:
        raise Invalid(
            f"{len(lanes)} lanes were asked for",
            remedy=f"ask for 1 to {MAX_LANES}",
            field="lanes",
            value=len(lanes),
        )


def alone(batch: Batch, request: Any, cancelled: Callable[[], bool]) -> Iterator[Event]:
    """The request's events, nobody else's. A cancel ends it at the next step: no result comes.

    Raises: what `prepare` and `join` raise, and the error that ends the request.
    """
    yield from batch.prepare(request)
    batch.join("", request)
    while batch.busy:
        if cancelled():
            yield from batch.leave("")
            return
        for _, event in batch.step():
            if isinstance(event, ImfineError):
                raise event
            yield event
