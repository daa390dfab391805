"""Data sets in the home: uploads on their way, and the child that reads them. Knows no HTTP, no table.

An upload is written under a temporary name; a child reads it into its stored form, and the upload is gone.
What a broken file or a model's template does to the child, it does to nobody else.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from imfine.core.data.storing import forget_unfinished, kept
from imfine.errors import DataError, ImfineError, Invalid, NotFound, TooLarge, Unavailable
from imfine.server.child import Child, Died
from imfine.server.uploads import Upload, forget_uploads

log = structlog.get_logger()

GONE = ".gone-"
STORE_S, SHOW_S = 3600.0, 30.0  # a child's time


class Datasets:
    def __init__(self, home: Path, limit_gib: float) -> None:
        self.root = home / "datasets"
        self.limit = int(limit_gib * 2**30)
        self._children: set[Child] = set()
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

    @contextmanager
    def fetching(self, data: str, columns: dict[str, str] | None) -> Iterator[Callable[[], dict[str, Any]]]:
        """What it gives tells, call by call, {"at"} a phase, and at last {"done"}: what core tells of a data
        set that came from the Hub. Whoever leaves the block ends the work.

        The calls raise: NotFound, ModelGated, NoNetwork, TooLarge, SetupError (disk), and as `store`.
        """
        try:
            with self._child() as child:
                child.give(task="fetch", data=data, root=str(self.root), columns=columns, limit=self.limit)
                yield lambda: self._heard(child, STORE_S)
        finally:
            forget_unfinished(self.root)

    def show(
        self, id: str, model: Path | None, length: int | None, rows: int, pixels: int | None
    ) -> dict[str, Any]:
        """The first rows; tokens where a text model reads them, counts where pictures are cut to `pixels`.

        Raises: as `store`; ModelBroken.
        """
        told = {"folder": str(self.folder(id)), "model": None if model is None else str(model)}
        return self._ask(SHOW_S, task="show", **told, length=length, rows=rows, pixels=pixels)

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
        with self._child() as child:
            child.give(**task)
            done: dict[str, Any] = self._heard(child, seconds)["done"]
            return done

    def _heard(self, child: Child, seconds: float) -> dict[str, Any]:
        try:
            return child.hear(seconds)
        except Died as died:
            if self._closed:
                raise Unavailable("the server is stopping", remedy="try again in a moment") from died
            raise _died(died) from died

    @contextmanager
    def _child(self) -> Iterator[Child]:
        child = Child("imfine.core.data")
        self._children.add(child)
        try:
            yield child
        finally:
            self._children.discard(child)
            child.end()


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


def _died(child: Died) -> ImfineError:
    if child.seconds is not None:
        return Invalid(
            f"reading took longer than {child.seconds:g} s",
            remedy="give fewer data; or choose another model, for a model's chat template may never end",
            field="data",
        )
    log.error("datasets.child_died", code=child.code)
    if child.code < 0:  # by a signal: a file that breaks a library, or the system that runs out of memory
        return DataError(
            f"reading the data broke the process that read them (signal {-child.code})",
            remedy="give the data as JSON Lines, CSV or plain text",
            field="data",
        )
    return ImfineError("the data could not be read", remedy="the server's log tells more")
