"""Processes that are forked from one which has imported torch and transformers already: importing them would
take most of the time of a test that needs a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing.context import ForkServerContext
from typing import Any

IMPORTED = [
    "imfine.core.libraries",
    "imfine.cli",
    "imfine.core.models.load",
    "imfine.core.text.generate",
    "imfine.jobs.child",
]


@cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What the function, one of a module beside the tests, returns or raises in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=server()) as pool:
        return pool.submit(function, *args).result()
