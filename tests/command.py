"""The command line in a process of its own, as scripts run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def imfine(*words: str, **environment: str) -> Said:
    done = subprocess.run(
        [sys.executable, "-c", "from imfine.cli import main; main()", *words],
        env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
