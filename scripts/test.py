"""Runs every suite of tests in a ready checkout; its last line counts them all. `make test` runs it.

A suite writes a JUnit report. A static check counts as one test. What needs one core only runs two at a time,
and is printed when it is through; the others use every core, and print as they go. Knows how each suite is
started, not what it tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TextIO

import services
from commands import VENV
from machine import ROOT, Lack

WEB = ROOT / "web"
DRIFT = "python -m imfine.server.openapi | diff -u web/openapi.json - | head -40 | (! grep .)"


class Suite(NamedTuple):
    name: str
    command: list[str]  # "{report}" becomes the path of its JUnit report
    folder: Path = ROOT
    on_services: bool = False


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0


CHECKS = [
    Suite("types", ["mypy"]),  # the longest first
    Suite("format", ["ruff", "format", "--check", "."]),
    Suite("lint", ["ruff", "check", "."]),
    Suite("types of the scripts", ["mypy", "scripts/setup.py", "scripts/test.py", "scripts/lock.py"]),
    Suite("import directions", ["lint-imports"]),
    Suite("web/openapi.json is what the server says", ["sh", "-c", DRIFT]),
    Suite("web: types, lint, generated types", ["npm", "run", "--silent", "check"], WEB),
    Suite("browsers: types", ["npx", "tsc"], WEB / "e2e"),
    Suite(
        "web",
        ["npx", "vitest", "run", "--reporter=default", "--reporter=junit", "--outputFile={report}"],
        WEB,
    ),
]
# Processes of one thread each, as many as tests/conftest.py says; memory is what more than eight would lack.
PARALLEL = ["--numprocesses=auto", "--maxprocesses=8", "--dist=loadfile", "--no-loadscope-reorder"]
PYTEST = ["env", "OMP_NUM_THREADS=1", "pytest", *PARALLEL, "--junitxml={report}"]
FAST = [Suite("python", [*PYTEST, "-m", "not slow"])]
WHOLE = [
    Suite("python", PYTEST),
    Suite(  # which have work of their own
        "python, on RabbitMQ and MariaDB",
        [*PYTEST, "--backend=services", "--numprocesses=logical"],
        ROOT,
        True,
    ),
    Suite("browsers", ["env", "REPORT={report}", "npm", "test", "--silent"], WEB / "e2e"),
]
SIDE_BY_SIDE = 2


def run(suite: Suite, environment: dict[str, str], into: TextIO | None = None) -> Count:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [word.format(report=report) for word in suite.command]
        said = subprocess.run(command, cwd=suite.folder, env=environment, stdout=into, stderr=into)
        if command == suite.command:
            return Count(failed=1) if said.returncode else Count(passed=1)
        count = read(report) if report.exists() else Count()
    if (said.returncode or not count.passed) and not count.failed:  # it broke before or beside its tests
        return count._replace(failed=1)
    return count


def run_side_by_side(suites: Sequence[Suite], environment: dict[str, str]) -> dict[str, Count]:
    def quietly(suite: Suite) -> Count:
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as said:
            count = run(suite, environment, said)
            said.seek(0)
            text = f"\n── {suite.name} ".ljust(60, "─") + "\n" + said.read()
        print(f"{text}   {time.monotonic() - began:.0f} s", flush=True)
        return count

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return dict(zip((suite.name for suite in suites), pool.map(quietly, suites), strict=True))


def read(report: Path) -> Count:
    passed = failed = skipped = 0
    text = re.sub(r"[\x00-\x08\x0b-\x1f]", "", report.read_text())  # Node leaves colours in it
    for case in ET.fromstring(text).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return Count(passed, failed, skipped)


def run_on_services(suite: Suite, environment: dict[str, str]) -> Count:
    try:
        with services.running() as where:
            return run(suite, {**environment, **where})
    except Lack as lack:
        print("SKIPPED:" if not services.must_run() else "FAILED:", *lack.args, sep="\n")
        return Count(failed=1) if services.must_run() else Count(skipped=1)


def main() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMFINE_")}
    environment["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    counts = run_side_by_side(CHECKS, environment)
    for suite in WHOLE if "--whole" in sys.argv else FAST:
        print(f"\n── {suite.name} ".ljust(60, "─"), flush=True)
        began = time.monotonic()
        counts[suite.name] = (run_on_services if suite.on_services else run)(suite, environment)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
    print("\n── all ".ljust(60, "─"))
    for name, count in counts.items():
        skipped = f", {count.skipped} skipped" if count.skipped else ""
        print(f"{name:42} {count.passed} passed, {count.failed} failed{skipped}")
    passed, failed, _ = (sum(column) for column in zip(*counts.values(), strict=True))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
