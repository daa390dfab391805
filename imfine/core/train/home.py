"""Where a run keeps what it needs to go on: a folder beside its result, for one process at a time.

Its checkpoints, its curves and the data's tokens. It goes when the result is there. Knows names only.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imfine.core.train import checkpoint
from imfine.errors import Conflict

CURVES = "curves.jsonl"
SAMPLES = "samples"  # a folder: the pictures drawn on the way
OWNER = "run"  # a file that says whose it is, where a server's run trains


class Home:
    """Of the run that makes `out_dir`."""

    def __init__(self, out_dir: Path) -> None:
        self.folder = out_dir.parent / f".{out_dir.name}.train"
        self.tokens = self.folder / "tokens"
        self.curves = self.folder / CURVES

    @property
    def owner(self) -> str | None:
        """The run whose it is; None: nobody's, or that of somebody who trains by hand."""
        try:
            return (self.folder / OWNER).read_text()
        except OSError:
            return None

    def own(self, run: str, resumes: str | None = None) -> None:
        """From here on it is `run`'s. What another run of ours has left is in the way, and goes, unless this
        one `resumes` it; what somebody trains by hand stays.

        Raises: Conflict where there is nothing of the run that it resumes.
        """
        owner = self.owner
        if resumes is not None and owner not in (resumes, run):
            raise Conflict(
                f"the checkpoints of run {resumes} are gone",
                remedy="start it anew",
                field="resumes",
                value=resumes,
            )
        if owner == run:
            return
        if resumes is None and owner is not None:
            self.remove()
        if resumes is not None or not self.folder.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self.folder / f".{OWNER}.part"
            part.write_text(run)
            part.replace(self.folder / OWNER)

    @property
    def step(self) -> int | None:
        """Of the newest checkpoint; None: there is none."""
        return next(reversed(checkpoint.steps(self.folder)), None)

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
        """Out of its place at once: whoever still writes there finds nothing to add to."""
        gone = self.folder.with_name(f"{self.folder.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(OSError):
            self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
