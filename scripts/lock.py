"""Writes requirements/*.lock from pyproject.toml: every version and hash, for every platform (`make lock`).

  base.lock  what I'm Fine needs at run time, without torch
  cuda.lock  torch as PyPI publishes it for Linux, the NVIDIA libraries it brings, and bitsandbytes
  dev.lock   what the tests and checks need beyond base.lock
  uv.lock, node.lock   two tools, fetched only by machines that lack them

Knows neither machine nor environment: `setup.py` decides which of them a machine gets. The CPU build of torch
lives outside PyPI, so no lock names its hash; its version is the one pinned in cuda.lock.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile

from commands import LOCKS, pip_lock
from machine import ROOT

CUDA = re.compile(r"(torch|triton|nvidia-|cuda-|bitsandbytes)")
TESTED = ("bitsandbytes",)  # of cuda.lock, that tests run without a GPU too


def resolve(*what: str) -> dict[str, str]:
    """Name → its entry, hashes included."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--universal",
        "--python-version=3.11",
        "--no-header",
    ]
    command += ["--no-annotate", "--generate-hashes", "--quiet", *what]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    entries = re.split(r"\n(?=[a-zA-Z0-9])", text.strip())
    found: dict[str, str] = {}
    for entry in entries:  # one name may have two entries, for two ranges of Python
        name = re.split(r"[=\[ ]", entry, maxsplit=1)[0]
        found[name] = f"{found[name]}\n{entry}" if name in found else entry
    return found


def write(name: str, entries: dict[str, str]) -> None:
    text = "# Made by `make lock` from pyproject.toml; do not edit.\n" + "\n".join(entries.values()) + "\n"
    (LOCKS / name).write_text(text)
    print(f"requirements/{name}: {len(entries)} packages")


def main() -> None:
    pip_lock("uv.lock")
    project = resolve("pyproject.toml", "--extra=cuda")
    base = {name: entry for name, entry in project.items() if not CUDA.match(name)}
    write("base.lock", base)
    write("cuda.lock", {name: entry for name, entry in project.items() if CUDA.match(name)})
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        lines = [
            line.rstrip(" \\")
            for entry in project.values()
            for line in entry.splitlines()
            if line[0].isalnum()
        ]
        pins.write("\n".join(lines))
        pins.flush()
        dev = resolve("--group=dev", f"--constraints={pins.name}")
    write("dev.lock", {name: each for name, each in dev.items() if name not in project or name in TESTED})
    write("uv.lock", resolve("--group=uv"))
    write("node.lock", resolve("--group=node"))


if __name__ == "__main__":
    main()
