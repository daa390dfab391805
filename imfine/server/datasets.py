"""Data sets in the home: uploads on their way, and the child that reads them. Knows no HTTP, no table.

An upload is written under a temporary name; a child reads it into its stored form, and the upload is gone.
What a broken file or a model's template does to the child, it does to nobody else.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from imfine.core.data.storing import forget_unfinished, kept
from imfine.errors import (
    DataError,
    ImfineError,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from imfine.server.uploads import Upload, forget_uploads

log = structlog.get_logger()

GONE = ".gone-"
STORE_S, SHOW_S = 3600.0, 30.0  # a child's time


class Datasets:
    def __init__(self, home: Path, limit_gib: float) -> None:
        self.root = home / "datasets"
        self.limit = int(limit_gib * 2**30)
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def forget_unfinished(self) -> None:
        """What a server left that was killed at work. No other may use the home."""
        forget_unfinished(self.root)
        forget_uploads(self.root)
        for gone in self.root.glob(f"{GONE}*"):
            shutil.rmtree(gone, ignore_errors=True)

    def upload(self) -> Upload:
        """Raises: NotKept."""
        return Upload(self.root, self.limit, lambda: too_large(self.limit), kept)

    def store(self, file: Path, name: str, columns: dict[str, str] | None) -> dict[str, Any]:
        """What core tells of the data set that a file became.

        Raises: DataError, Invalid, NotKept, OutOfMemory.
        """
        told = {"file": str(file), "root": str(self.root), "name": name, "columns": columns}
        try:
            return self._ask(STORE_S, task="store", **told)
        finally:
            forget_unfinished(self.root)  # of a child that was killed

    def show(self, id: str, model: Path | None, length: int | None, rows: int) -> dict[str, Any]:
        """The first rows, and tokens where a text model reads them. Raises: as `store`; ModelBroken."""
        told = None if model is None else str(model)
        return self._ask(
            SHOW_S, task="show", folder=str(self.folder(id)), model=told, length=length, rows=rows
        )

    def folder(self, id: str) -> Path:
        return self.root / id

    def take_away(self, id: str) -> Path:
        """Out of its place at once; what it returns may be deleted at leisure."""
        gone = self.root / f"{GONE}{id}-{threading.get_ident()}"
        with suppress(FileNotFoundError):
            self.folder(id).rename(gone)
        return gone

    def close(self) -> None:
        """Ends the children; whoever waits for one hears of it."""
        self._closed = True
        for child in list(self._children):
            child.kill()

    def _ask(self, seconds: float, **task: Any) -> dict[str, Any]:
        child = subprocess.Popen(
            [sys.executable, "-m", "imfine.core.data"],
            bufsize=0,
            stdin=subprocess.PIPE,  # open as long as we live: it is the child's leash
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        self._children.add(child)
        began = time.monotonic()
        timer = threading.Timer(seconds, child.kill)
        timer.start()
        try:
            with suppress(BrokenPipeError):
                child.stdin.write(json.dumps(task).encode() + b"\n")
            said = child.stdout.read()
            code = child.wait()
        finally:
            timer.cancel()
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
            self._children.discard(child)
        if self._closed:
            raise Unavailable("the server is stopping", remedy="try again in a moment")
        if code != 0:
            raise _died(code, seconds if time.monotonic() - began >= seconds else None)
        answer = json.loads(said)
        if "error" in answer:
            raise ImfineError.from_json(answer["error"])
        done: dict[str, Any] = answer["done"]
        return done


def no_dataset(id: str, field: str) -> NotFound:
    return NotFound(
        f"there is no data set {id}",
        remedy="list the data sets with GET /api/datasets",
        field=field,
        value=id,
    )


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the data are larger than {limit:,} bytes",
        remedy="give less, or set IMFINE_UPLOAD_LIMIT_GIB; on the machine itself imfine train reads any size",
        field="body",
        limit_bytes=limit,
    )


def _died(code: int, seconds: float | None) -> ImfineError:
    if seconds is not None:
        return Invalid(
            f"reading took longer than {seconds:g} s",
            remedy="give fewer data; or choose another model, for a model's chat template may never end",
            field="data",
        )
    log.error("datasets.child_died", code=code)
    if code < 0:  # by a signal: a file that breaks a library, or the system that runs out of memory
        return DataError(
            f"reading the data broke the process that read them (signal {-code})",
            remedy="give the data as JSON Lines, CSV or plain text",
            field="data",
        )
    return ImfineError("the data could not be read", remedy="the server's log tells more")
