"""Timing by ratios: what is compared runs in turns in one process, and the median ratio of the pairs is told.

Seconds of one machine at one hour mean little; a ratio of neighbours in time stands when others use the
machine too. Knows nothing of models.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Seconds of `ours` and `theirs`, run after run."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """Median of theirs / ours: how many times faster ours is."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def spread(self) -> tuple[float, float]:
        ratios = sorted(b / a for a, b in zip(self.ours, self.theirs, strict=True))
        return ratios[0], ratios[-1]


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], n: int) -> Pair:
    """Both once to warm up, then n pairs, each pair in the other order than the one before."""
    ours(), theirs()
    pair = Pair([], [])
    for i in range(n):
        for work, into in ((ours, pair.ours), (theirs, pair.theirs))[:: 1 if i % 2 else -1]:
            into.append(seconds(work))
    return pair


def line(name: str, pair: Pair, *, wanted: str, invert: bool = False) -> str:
    """A row of the table; `invert` tells ours / theirs."""
    low, high = pair.spread
    ratio = pair.ratio
    if invert:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    ours, theirs = statistics.median(pair.ours), statistics.median(pair.theirs)
    return (
        f"| {name} | {ours * 1e3:.0f} ms | {theirs * 1e3:.0f} ms | **{ratio:.2f}** ({low:.2f}–{high:.2f})"
        f" | {wanted} | {len(pair.ours)} |"
    )
