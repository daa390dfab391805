"""The command line in a process of its own, as scripts run it.

It is forked (forked.py); `fresh` starts Python anew, which also shows what is said while libraries are
imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked

from imfine.cli import main

TIMEOUT_S = 170


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def imfine(*words: str, fresh: bool = False, **environment: str) -> Said:
    around = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environment}
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        code = (anew if fresh else from_the_server)(words, around, out, err)
        return Said(code, out.read_text(), err.read_text())


def anew(words: tuple[str, ...], around: dict[str, str], out: Path, err: Path) -> int:
    command = [sys.executable, "-c", "from imfine.cli import main; main()", *words]
    with out.open("w") as said, err.open("w") as told:
        done = subprocess.run(command, env=around, stdout=said, stderr=told, timeout=TIMEOUT_S, check=False)
    return done.returncode


def from_the_server(words: tuple[str, ...], around: dict[str, str], out: Path, err: Path) -> int:
    process = forked.run(main, ["imfine", *words], around, {1: out, 2: err})
    process.join(TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(["imfine", *words], TIMEOUT_S)
    return process.exitcode
