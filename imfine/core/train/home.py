"""Where a run keeps what it needs to go on: a folder beside its result, for one process at a time.

Its checkpoints, its curves and the data's tokens. It goes when the result is there. Knows names only.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imfine.core.train import checkpoint
from imfine.core.train.result import CURVES
from imfine.errors import Conflict


class Home:
    def __init__(self, out_dir: Path) -> None:
        self.folder = out_dir.parent / f".{out_dir.name}.train"
        self.tokens = self.folder / "tokens"
        self.curves = self.folder / CURVES

    def check_new(self, name: str) -> None:
        """Raises: Conflict when a run for `name` is not finished: a new one would throw it away."""
        if steps := checkpoint.steps(self.folder):
            raise Conflict(
                f"a run for {name} is not finished: it has a checkpoint of step {steps[-1]}",
                remedy=f"resume it, choose another name, or delete {self.folder}",
                field="name",
                value=name,
            )

    @contextmanager
    def held(self, name: str, *, resume: bool) -> Iterator[None]:
        """Raises: Conflict when another process trains here, or a run that was not asked for lies here."""
        if not resume:
            self.check_new(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"{name} is being trained by another process",
                    remedy="wait for it, or choose another name",
                    field="name",
                    value=name,
                ) from error
            checkpoint.sweep(self.folder)
            yield

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
