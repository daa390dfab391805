"""`python -m imfine.core.data`: one task of another process, which must neither wait nor share its memory.

Reads the task as a line of JSON from its standard input and answers {"done"} or {"error"} with one on its
standard output; a task that takes long says {"at"} before, how far it is. A broken file or a model's
template may take all time, all memory or the whole process: its own. The input is also the leash: when it
closes, the one who asked is gone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from imfine.core.data.dataset import Dataset, open_dataset
from imfine.core.data.ingest import ingest
from imfine.core.data.picture_counts import count
from imfine.core.data.render import Counted, preview, tokens
from imfine.core.data.tokenizer import Tokenizer
from imfine.errors import ImfineError, OutOfMemory, TooLarge

MEMORY = 4 << 30  # bytes of addresses
TOLD_EVERY_S = 0.5
COUNTED = 2000  # rows whose tokens are counted for a preview


def store(file: str, root: str, name: str, columns: dict[str, str] | None) -> dict[str, Any]:
    """A file becomes a data set below `root`."""
    for step in ingest([Path(file)], Path(root), name=name, columns=columns):
        if isinstance(step, Dataset):
            return step.to_json()
    raise AssertionError("the data set comes last")


def fetch(data: str, root: str, columns: dict[str, str] | None, limit: int) -> Iterator[dict[str, Any]]:
    """A data set of the Hub comes here and becomes one below `root`. Yields phases, and it last.

    Raises: TooLarge when its files have more than `limit` bytes; nothing of them is fetched then.
    """
    told = 0.0
    for step in ingest([data], Path(root), columns=columns):
        if isinstance(step, Dataset):
            yield step.to_json()
        elif step.phase == "downloading" and (step.total or 0) > limit:
            raise TooLarge(
                f"the files of {data} have {step.total:,} bytes, more than the {limit:,} that may be given",
                remedy="name one of its folders (owner/name/folder), or train with it by: imfine train",
                field="data",
                value=data,
                limit_bytes=limit,
            )
        elif (now := time.monotonic()) - told >= TOLD_EVERY_S:
            told = now
            yield {"at": {"phase": step.phase, "done": step.done, "total": step.total, "unit": step.unit}}


def show(folder: str, model: str | None, length: int | None, rows: int, pixels: int | None) -> dict[str, Any]:
    """The first rows; with a model's folder, as it reads them, and the tokens of the first COUNTED rows. Of
    pictures: how they are when cut to `pixels` a side."""
    dataset = open_dataset(Path(folder))
    if dataset.kind == "image":
        pictures = None if pixels is None else count(dataset, pixels).to_json()
        return {"rows": preview(dataset, None, rows), "tokens": None, "pictures": pictures}
    if model is None:
        return {"rows": preview(dataset, None, rows), "tokens": None, "pictures": None}
    assert length is not None
    tokenizer = Tokenizer(Path(model))
    [*_, counted] = tokens(dataset, tokenizer, max_length=length, first=COUNTED)
    assert isinstance(counted, Counted)
    shown = preview(dataset, tokenizer, rows)
    return {"rows": shown, "tokens": counted.to_json(length), "pictures": None}


TASKS: Mapping[str, Callable[..., dict[str, Any] | Iterator[dict[str, Any]]]] = {
    "store": store,
    "fetch": fetch,
    "show": show,
}


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_leash, daemon=True).start()
    os.nice(5)  # live answers come first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        done = TASKS[asked.pop("task")](**asked)
        if isinstance(done, Iterator):
            for step in done:
                if "at" in step:
                    print(json.dumps(step), flush=True)
                done = step
        answer = {"done": done}
    except ImfineError as error:
        answer = {"error": error.to_json()}
    except MemoryError:
        answer = {"error": _too_much().to_json()}
    print(json.dumps(answer))


def _leash() -> None:
    sys.stdin.read()
    os._exit(1)


def _too_much() -> OutOfMemory:
    return OutOfMemory(
        f"reading the data needs more than {MEMORY >> 30} GiB of memory",
        remedy="give JSON Lines with shorter rows",
        field="data",
    )


if __name__ == "__main__":
    main()
