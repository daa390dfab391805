"""Adapters in the home: uploads on their way, and what core makes of them. Knows no HTTP, no table."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from imfine.core.deltas import keeping
from imfine.core.models.catalog import Card
from imfine.core.models.folders import ADAPTERS, GONE, kept
from imfine.errors import TooLarge
from imfine.server.uploads import Upload, forget_uploads
from imfine.settings import Settings


class Adapters:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.home / ADAPTERS
        self.limit = int(settings.upload_limit_gib * 2**30)

    def forget_unfinished(self) -> None:
        """What a server left that was killed at work. No other may use the home."""
        forget_uploads(self.root)
        for left in (*self.root.glob(f".*{GONE}"), *self.root.glob(".*.part")):
            shutil.rmtree(left, ignore_errors=True)

    def upload(self) -> Upload:
        """Raises: NotKept."""
        return Upload(
            self.root, self.limit, lambda: too_large(self.limit), lambda: kept("adapter", "give it once more")
        )

    def store(self, file: Path, name: str, card: Card) -> dict[str, Any]:
        """As the API's `Adapter`. Raises: what keeping.keep_adapter raises."""
        keeping.keep_adapter(file, name, card, self.settings, f"{name}.safetensors")
        told = keeping.adapter(name, self.settings)
        assert told is not None, "it has just been kept"
        return told

    def every(self) -> list[dict[str, Any]]:
        return keeping.adapters(self.settings)

    def take_away(self, id: str) -> None:
        """Raises: NotFound."""
        keeping.take_away(id, self.settings)


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the adapter is larger than {limit:,} bytes",
        remedy="set IMFINE_UPLOAD_LIMIT_GIB; on the machine itself imfine adapters add takes any size",
        field="body",
        limit_bytes=limit,
    )
