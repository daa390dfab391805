"""What the examples' make.py share: a folder to work in, packages that nothing installs, rows as JSON lines.

Standard library only. Knows no example, and nothing of I'm Fine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def work_folder(about: str | None) -> Iterator[Path]:
    """The folder of `--work`, which keeps what is fetched; else a temporary one. `about`: for `--help`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder that keeps the packages; else a temporary one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def debian(package: str, folder: Path) -> None:
    """Unpacks a package of Debian or Ubuntu into `folder`."""
    if not list(folder.glob(f"{package}_*.deb")):
        run("apt-get", "download", "-qq", package, cwd=folder)
    run("dpkg", "-x", next(folder.glob(f"{package}_*.deb")).name, ".", cwd=folder)


def npm(package: str, expected: str, folder: Path) -> None:
    """Unpacks a package of npm (name@version) into `folder`. Raises: SystemExit when it is another than
    `expected`."""
    archive = folder / (package.removeprefix("@").replace("/", "-").replace("@", "-") + ".tgz")
    if not archive.exists():
        run("npm", "pack", "--silent", package, cwd=folder)
    check(archive.read_bytes(), expected, archive.name)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")


def run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def check(data: bytes, expected: str, name: str) -> None:
    """Raises: SystemExit when `data` has another SHA-256 than is `expected`."""
    if (found := hashlib.sha256(data).hexdigest()) != expected:
        raise SystemExit(f"{name} has the hash {found}, not {expected}: it is not what this example reads")


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """A JSON object a line; prints how many, and their hash."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), "utf-8")
    print(f"{path}: {len(lines):,} rows, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
