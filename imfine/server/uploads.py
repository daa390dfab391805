"""A file that comes in pieces: under a temporary name, within a limit; whatever ends it, nothing is left.

Knows no HTTP, and not what is in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from imfine.errors import TooLarge

PREFIX = ".upload-"


class Upload:
    """Used within `with`. `kept` turns what a disk says into an error; `too_large` is raised past `limit`."""

    def __init__(
        self,
        root: Path,
        limit: int,
        too_large: Callable[[], TooLarge],
        kept: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.size = 0
        self._limit, self._too_large, self._kept = limit, too_large, kept
        with kept():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=PREFIX, dir=root)
        self.path = Path(name)
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what was still to be written finds no room: nothing of it is wanted
            self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, part: bytes) -> None:
        """Raises: TooLarge, NotKept."""
        self.size += len(part)
        if self.size > self._limit:
            raise self._too_large()
        with self._kept():
            self._file.write(part)

    def close(self) -> None:
        """All is there, and can be read. Raises: NotKept."""
        with self._kept():
            self._file.close()


def forget_uploads(root: Path) -> None:
    """What a process left that was killed while it wrote. No other may use the folder."""
    for left in root.glob(f"{PREFIX}*"):
        left.unlink(missing_ok=True)
