"""How a lane's next token is chosen: checked settings and their JSON. Plain Python: knows no model, no torch.

The words are those of transformers' generation config. What they do to logits is in `processors.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from imfine.errors import Invalid, SamplingError

MAX_STOPS = 8
MAX_STOP_CHARACTERS = 200


class Range(NamedTuple):
    kind: type[int] | type[float]
    low: float
    high: float


RANGES: Mapping[str, Range] = {
    "temperature": Range(float, 0.01, 5.0),
    "top_k": Range(int, 0, 1_000_000),  # 0: off
    "top_p": Range(float, 0.0, 1.0),  # 1: off
    "min_p": Range(float, 0.0, 1.0),  # 0: off
    "repetition_penalty": Range(float, 0.1, 5.0),  # 1: off
    "no_repeat_ngram_size": Range(int, 0, 100),  # 0: off
    "seed": Range(int, 0, 2**32 - 1),
    "max_new_tokens": Range(int, 1, 4096),
    "min_new_tokens": Range(int, 0, 4096),
}


@dataclass(frozen=True)
class Sampling:
    """Raises SamplingError for what is out of range, however it was made.

    seed  None: whoever accepts the run draws one and keeps it (`with_seed`)
    stop  strings that end the answer; the text never shows them
    raw   complete the prompt as it stands, without the model's chat template
    """

    greedy: bool = False
    temperature: float = 0.7
    top_k: int = 0
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    max_new_tokens: int = 128
    min_new_tokens: int = 0
    raw: bool = False

    def __post_init__(self) -> None:
        for name in ("greedy", "raw"):
            if not isinstance(getattr(self, name), bool):
                raise _error(name, getattr(self, name), "is not true or false", "give true or false")
        for name, limits in RANGES.items():
            value = getattr(self, name)
            if name == "seed" and value is None:
                continue
            object.__setattr__(self, name, checked_number(name, value, limits, _error))
        object.__setattr__(self, "stop", _stops(self.stop))
        if self.min_new_tokens > self.max_new_tokens:
            raise _error(
                "min_new_tokens",
                self.min_new_tokens,
                f"is more than max_new_tokens, {self.max_new_tokens}",
                "lower min_new_tokens or raise max_new_tokens",
            )

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Sampling:
        """From JSON. Raises SamplingError naming the field ("sampling.top_p"), the value and the remedy."""
        check_keys(data, "sampling", "is not a sampling setting", cls, _error)
        return cls(**data)

    def with_seed(self, seed: int) -> Sampling:
        return replace(self, seed=seed)

    def to_json(self) -> dict[str, Any]:
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}


Refuse = Callable[[str, Any, str, str], Invalid]  # (name, value, fact, remedy) of a setting


def check_keys(data: Any, what: str, fact: str, known: type[Any], refuse: Refuse) -> None:
    """Whether `data` is an object of the settings that the dataclass `known` has. Raises: SamplingError."""
    if not isinstance(data, Mapping):
        raise SamplingError(f"{what} is {type(data).__name__}, not an object", remedy="give {}", field=what)
    names = [f.name for f in fields(known)]
    for key in data:
        if key not in names:
            raise refuse(str(key), data[key], fact, f"use {', '.join(names)}")


def checked_number(name: str, value: Any, limits: Range, refuse: Refuse) -> int | float:
    """Raises: SamplingError."""
    whole = limits.kind is int
    remedy = f"give {'a whole number' if whole else 'a number'} from {limits.low:.10g} to {limits.high:.10g}"
    if isinstance(value, bool) or not isinstance(value, (int,) if whole else (int, float)):
        raise refuse(name, value, "is not a whole number" if whole else "is not a number", remedy)
    if not limits.low <= value <= limits.high:  # NaN and the infinities fall out here too
        finite = isinstance(value, int) or math.isfinite(value)
        hint = "; for temperature 0 say greedy: true" if name == "temperature" and value == 0 else ""
        raise refuse(name, value, "is out of range" if finite else "is not finite", remedy + hint)
    return limits.kind(value)


def is_halved(text: str) -> bool:
    """Whether it holds half of a surrogate pair, which no encoding takes."""
    return any("\ud800" <= c <= "\udfff" for c in text)


def _stops(stop: Any) -> tuple[str, ...]:
    if not isinstance(stop, (list, tuple)):
        raise _error("stop", stop, "is not a list of strings", 'give a list such as ["\\n"]')
    if len(stop) > MAX_STOPS:
        raise _error("stop", len(stop), "strings are too many", f"give at most {MAX_STOPS}")
    for i, text in enumerate(stop):
        if not isinstance(text, str) or not 0 < len(text) <= MAX_STOP_CHARACTERS:
            remedy = f"give strings of 1 to {MAX_STOP_CHARACTERS} characters"
            raise _error(f"stop.{i}", text, "cannot be a stop string", remedy)
        if is_halved(text):
            raise _error(f"stop.{i}", text, "holds half of a surrogate pair", "give whole characters")
    return tuple(stop)


def _error(name: str, value: Any, fact: str, remedy: str) -> SamplingError:
    if isinstance(value, int) and abs(value) > 2**63:
        value = f"a whole number of {value.bit_length()} bits"
    return SamplingError(
        f"{name} {value!r} {fact}", remedy=remedy, field=f"sampling.{name}", value=value, setting=name
    )
