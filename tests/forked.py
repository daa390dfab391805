"""Processes that are forked from one which has imported torch and transformers already: importing them would
take most of the time of a test that needs a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

IMPORTED = [
    "imfine.core.libraries",
    "imfine.cli",
    "imfine.core.models.load",
    "imfine.core.models.load_image",
    "imfine.core.train.adapter",
    "imfine.core.train.pictures.learner",
    "imfine.jobs.child",
    "imfine.jobs.generate",
    "imfine.jobs.worker",
    "imfine.server.run",
]


@cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def run(
    main: Callable[[], None], words: Sequence[str], environment: Mapping[str, str], files: Mapping[int, Path]
) -> BaseProcess:
    """A process that runs `main` as a command would: with these words, this environment alone, and these
    files (a pipe with a name, for input) as its standard input, output or errors."""
    process = server().Process(target=_run, args=(main, words, dict(environment), files))
    process.start()
    return process


def _run(
    main: Callable[[], None], words: Sequence[str], environment: Mapping[str, str], files: Mapping[int, Path]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in files.items():
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY, 0o600), number)
    sys.stdin = os.fdopen(0)  # multiprocessing has put another in its place
    sys.argv = list(words)
    main()


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What the function, one of a module beside the tests, returns or raises in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=server()) as pool:
        return pool.submit(function, *args).result()
