"""Files that runs have made, by the hash of their bytes: `<home>/artifacts/ab/<sha256>.png`.

A file is written under a temporary name, hashed on the way, flushed to the disk, and only then gets its own:
one that is there is whole. Paths are made of 64 hex digits and nothing else. Knows no run and no HTTP.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from imfine.core.models.folders import sync
from imfine.errors import Invalid, NotKept, TooLarge
from imfine.server.body import MAX_FILE

MAGIC = b"\x89PNG\r\n\x1a\n"
SHA256 = r"^[0-9a-f]{64}$"
TEMPORARY = ".upload-"


class Artifacts:
    def __init__(self, home: Path) -> None:
        self.root = home / "artifacts"

    def forget_uploads(self) -> None:
        """What a process left that was killed while it wrote. No other may use the home."""
        for left in self.root.glob(f"{TEMPORARY}*"):
            left.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file of this hash is, or would be."""
        assert re.fullmatch(SHA256, sha256), "a name that was not checked"
        return self.root / sha256[:2] / f"{sha256}.png"

    def upload(self, sha256: str) -> Upload:
        return Upload(self, sha256)


class Upload:
    """A file on its way; within `with`. Whatever ends it, nothing is left but the whole file."""

    def __init__(self, artifacts: Artifacts, sha256: str) -> None:
        self.target = artifacts.path(sha256)
        self.sha256 = sha256
        self.size = 0
        self._hash = hashlib.sha256()
        self._begin = b""
        with _kept():
            artifacts.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=artifacts.root)
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what was still to be written finds no room: nothing of it is wanted
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def write(self, part: bytes) -> None:
        """Raises: Invalid, as soon as it is no PNG; TooLarge; NotKept."""
        self.size += len(part)
        if self.size > MAX_FILE:
            raise too_large()
        if len(self._begin) < len(MAGIC):
            self._begin += part[: len(MAGIC) - len(self._begin)]
            if not MAGIC.startswith(self._begin):
                raise Invalid("the file is no PNG", remedy="send a PNG file", field="body")
        self._hash.update(part)
        with _kept():
            self._file.write(part)

    def close(self) -> None:
        """All is there: checked, and safe on the disk. Raises: Invalid, NotKept."""
        if self._begin != MAGIC:
            raise Invalid("the file is no PNG", remedy="send a PNG file", field="body")
        if (found := self._hash.hexdigest()) != self.sha256:
            raise Invalid(
                f"the file's hash is {found}, it was announced as {self.sha256}",
                remedy="send the file once more, whole",
                field="sha256",
                value=self.sha256,
            )
        with _kept():
            self._file.flush()
            os.fsync(self._file.fileno())

    def put_in_place(self) -> None:
        """After `close`. The same file once more is as well. Raises: NotKept."""
        with _kept():
            self.target.parent.mkdir(mode=0o700, exist_ok=True)
            self._temporary.replace(self.target)
            sync(self.target.parent)


def too_large() -> TooLarge:
    return TooLarge(
        f"the file is larger than {MAX_FILE:,} bytes",
        remedy="make smaller pictures",
        field="body",
        limit_bytes=MAX_FILE,
    )


@contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise NotKept(
            f"the picture could not be kept: {reason.strerror or reason}",
            remedy="see that the disk of IMFINE_HOME has room and can be written, then run again",
        ) from reason
