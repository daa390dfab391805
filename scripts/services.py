"""RabbitMQ and MariaDB for the tests: those that run here, else Debian's, started on free
ports in a temporary folder.

Knows how to find, install and start them, not what is tested. Runs under .venv's Python, and asks with the
same drivers as I'm Fine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import amqp
import pymysql
from machine import Lack, install_packages, may_install

RABBITMQ = Path(
    "/usr/lib/rabbitmq/bin/rabbitmq-server"
)  # without Debian's wrapper, which insists on its own user
START_S = 60


def must_run() -> bool:
    """Where packages may be installed there is no excuse: these tests fail, they are not skipped."""
    return may_install()


@contextlib.contextmanager
def none() -> Iterator[dict[str, str]]:
    yield {}


@contextlib.contextmanager
def running() -> Iterator[dict[str, str]]:
    """The environment that names both. Raises Lack where one of them can neither be found nor started."""
    with contextlib.ExitStack() as stack:
        amqp_port = 5672 if rabbitmq_answers(5672) else stack.enter_context(own_rabbitmq())
        sql_port = 3306 if mariadb_answers(3306) else stack.enter_context(own_mariadb())
        yield {
            "IMFINE_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{amqp_port}//",
            "IMFINE_DATABASE_URL": f"mysql+pymysql://root@127.0.0.1:{sql_port}/imfine?charset=utf8mb4",
        }


def rabbitmq_answers(port: int) -> bool:
    try:
        with amqp.Connection(f"127.0.0.1:{port}", "guest", "guest", connect_timeout=2):
            return True
    except (OSError, amqp.AMQPError):
        return False


def mariadb_answers(port: int) -> bool:
    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=2).close()
    except pymysql.MySQLError:
        return False
    return True


@contextlib.contextmanager
def own_rabbitmq() -> Iterator[int]:
    if not RABBITMQ.exists():
        install_packages(["rabbitmq-server"], "The tests on services lack RabbitMQ.")
    port, other = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "HOME": folder,
            "RABBITMQ_NODENAME": f"imfine-test-{port}@localhost",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(other),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
        }
        with started([str(RABBITMQ)], settings, Path(folder), lambda: rabbitmq_answers(port)):
            yield port


@contextlib.contextmanager
def own_mariadb() -> Iterator[int]:
    if not shutil.which("mariadbd"):
        install_packages(["mariadb-server"], "The tests on services lack MariaDB.")
    (port,) = free_ports(1)
    user = ["--user=root"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        data = f"--datadir={folder}/data"
        make = [
            "mariadb-install-db",
            "--no-defaults",
            data,
            "--auth-root-authentication-method=normal",
            *user,
        ]
        subprocess.run(make, check=True, capture_output=True)
        serve = ["mariadbd", "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1", *user]
        serve += [f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
        with started(serve, {}, Path(folder), lambda: mariadb_answers(port)):
            yield port


@contextlib.contextmanager
def started(
    command: list[str], settings: dict[str, str], folder: Path, answers: Callable[[], bool]
) -> Iterator[None]:
    """Runs `command` until the block ends; the block begins when it answers."""
    with (folder / "said").open("w") as said:
        child = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + START_S
        while not answers():
            if child.poll() is not None or time.monotonic() > until:
                tail = (folder / "said").read_text()[-800:]
                raise Lack(f"{Path(command[0]).name} does not start.", f"It said:\n{tail}")
            time.sleep(0.2)
        yield
    finally:
        child.terminate()
        child.wait(START_S)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [door.getsockname()[1] for door in doors]
