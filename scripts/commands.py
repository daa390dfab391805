"""Runs pip, npm and the like: what they say goes to the log, what they fetch to the terminal, why they failed
into one sentence. Standard library only. Knows no step of the set-up.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from machine import ROOT, Lack

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
LOCKS = ROOT / "requirements"
QUIET = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "NO_COLOR": "1",
}
_running: set[subprocess.Popen[str]] = set()
_ended = threading.Event()
SELDOM = (  # a third of all files, of which a start imports few
    "/(pip|pygments/lexers|transformers/models|diffusers/(pipelines|modular_pipelines|models)"
    "|torch/(testing|onnx|ao)|schemathesis|jsonschema_rs|numpy/.*/tests)/"
)
NO_NETWORK = (
    "resolution|NewConnectionError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT"
    "|timed out|unreachable|ProxyError|dns error|SSLError|IncompleteRead"
)


def site_packages() -> Path:
    return VENV / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"


def pip_lock(name: str) -> None:
    options = ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
    pip("install", *options, "-r", str(LOCKS / name))
    compile_all()


def compile_all() -> None:
    """What pip does with one core only. A file that does not compile (some libraries have such) is left; of
    what is seldom imported, Python compiles what it needs when it does."""
    attempt(str(PYTHON), "-m", "compileall", "-q", "-j", "0", "-x", SELDOM, str(site_packages()))


def pip(*arguments: str) -> None:
    """Several at the same time get along: no two lines of steps install the same package."""
    run([str(PYTHON), "-m", "pip", *arguments])


def forget_half_installed() -> None:
    """What an interrupted pip has left would count as installed."""
    for info in site_packages().glob("*.dist-info"):
        if not (info / "INSTALLER").exists():  # which comes last
            shutil.rmtree(info)


def npm(node: Path, folder: Path, *arguments: str) -> None:
    path = f"{node}{os.pathsep}{os.environ['PATH']}"
    run([str(node / "npm"), "--no-fund", "--no-audit", *arguments], cwd=folder, env={"PATH": path})


def end_all() -> None:
    """Ends what `run` has begun, in whatever thread; nothing begins any more."""
    _ended.set()
    for child in list(_running):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)


def run(command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Raises Lack with the reason where it fails."""
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **QUIET, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C comes to us alone; we end the child and all that it started
    )
    assert child.stdout
    said: list[str] = []
    _running.add(child)
    try:
        if _ended.is_set():
            raise Lack("Stopped.")
        for line in child.stdout:
            said.append(line)
            show(line)
        code = child.wait()
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    finally:
        _running.discard(child)
        erase_line()
        if VENV.exists():
            with LOG.open("a") as log:
                log.write(f"$ {' '.join(command)}\n{''.join(said)}\n")
    if code:
        raise explain(command, "".join(said))


def show(line: str) -> None:
    """On a terminal one line, rewritten, says what is being fetched."""
    fetching = re.match(r"\s*Downloading (?:\S*/)?([\w.+]+-[\w.+]+)\S*( \(.*\))?", line)
    doing = (
        f"{fetching[1]}{fetching[2] or ''}" if fetching else "installing" if "Installing coll" in line else ""
    )
    if doing and sys.stdout.isatty():
        print(f"\r\033[K      {doing}", end="", flush=True)


def erase_line() -> None:
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def explain(command: list[str], said: str) -> Lack:
    what = " ".join(Path(word).name if word.startswith("/") else word for word in command[:4])
    if re.search(r"No space left on device|ENOSPC|Disk quota exceeded", said):
        free_gb = shutil.disk_usage(ROOT).free / 1e9
        return Lack(
            f"The disk is full: {free_gb:.2f} GB free at {ROOT}.",
            "Free some space and run it again: it goes on where it stopped.",
        )
    if re.search(r"DO NOT MATCH THE HASHES|hash mismatch|EINTEGRITY", said, re.IGNORECASE):
        return Lack(
            f"A fetched file is not the one that was locked ({what}).",
            f"It was changed on its way, or the package index is not to be trusted; {LOG} names it.",
        )
    if re.search(NO_NETWORK, said):
        return Lack(
            f"The package index cannot be reached ({what}).",
            "Check the connection (behind a proxy: HTTPS_PROXY) and run it again: what was done stays done.",
        )
    if name := re.findall(r"No matching distribution found for ([^\s;]+)", said):
        return Lack(
            f"There is no build of {name[-1]} for Python {sys.version.split()[0]} on this machine.",
            "Use another Python, 3.11 to 3.13: `make up PYTHON=python3.12`.",
        )
    tail = "".join(f"    {line}\n" for line in said.strip().splitlines()[-12:])
    return Lack(f"`{what}` failed:\n{tail}", f"All it said is in {LOG}.")


def attempt(*commands: str) -> bool:
    try:
        run(list(commands))
    except Lack:
        return False
    return True
