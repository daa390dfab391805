"""Files that runs have made, by the hash of their bytes: `<home>/artifacts/ab/<sha256>.png`.

A file is written under a temporary name, hashed on the way, flushed to the disk, and only then gets its own:
one that is there is whole. Paths are made of 64 hex digits and nothing else. Knows no run and no HTTP.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import partial
from pathlib import Path

from imfine.core.models import folders
from imfine.core.models.folders import sync
from imfine.errors import Invalid, TooLarge
from imfine.server import uploads
from imfine.server.body import MAX_FILE

MAGIC = b"\x89PNG\r\n\x1a\n"
SHA256 = r"^[0-9a-f]{64}$"
kept = partial(folders.kept, "picture", "run again")


class Artifacts:
    def __init__(self, home: Path) -> None:
        self.root = home / "artifacts"

    def path(self, sha256: str) -> Path:
        """Where the file of this hash is, or would be."""
        assert re.fullmatch(SHA256, sha256), "a name that was not checked"
        return self.root / sha256[:2] / f"{sha256}.png"

    def upload(self, sha256: str) -> Upload:
        return Upload(self, sha256)


class Upload(uploads.Upload):
    """A picture on its way; within `with`. Whatever ends it, nothing is left but the whole file."""

    def __init__(self, artifacts: Artifacts, sha256: str) -> None:
        super().__init__(artifacts.root, MAX_FILE, too_large, kept)
        self.target = artifacts.path(sha256)
        self.sha256 = sha256
        self._hash = hashlib.sha256()
        self._begin = b""

    def write(self, part: bytes) -> None:
        """Raises: Invalid, as soon as it is no PNG; TooLarge; NotKept."""
        super().write(part)
        self._hash.update(part)
        if len(self._begin) < len(MAGIC):
            self._begin += part[: len(MAGIC) - len(self._begin)]
            if not MAGIC.startswith(self._begin):
                raise Invalid("the file is no PNG", remedy="send a PNG file", field="body")

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
        with kept():
            self._file.flush()
            os.fsync(self._file.fileno())

    def put_in_place(self) -> None:
        """After `close`. The same file once more is as well. Raises: NotKept."""
        with kept():
            self.target.parent.mkdir(mode=0o700, exist_ok=True)
            self.path.replace(self.target)
            sync(self.target.parent)


def too_large() -> TooLarge:
    return TooLarge(
        f"the file is larger than {MAX_FILE:,} bytes",
        remedy="make smaller pictures",
        field="body",
        limit_bytes=MAX_FILE,
    )
