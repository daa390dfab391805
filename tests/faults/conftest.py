"""Installations with a tiny model: one that a module's gentle tests share, one a test for the rough ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backends import Backend
from installation import Installation, write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny(folder)
    return folder


@contextmanager
def installed(home: Path, tiny: Path, backend: Backend, *, fork: bool = True) -> Iterator[Installation]:
    shutil.copytree(tiny, home / "models" / "tiny")
    made = Installation(home, backend.environment(), fork=fork)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def installation(tmp_path: Path, tiny: Path, backend: Backend) -> Iterator[Installation]:
    """Not started."""
    with installed(tmp_path / "home", tiny, backend) as made:
        yield made


@pytest.fixture
def anew(tmp_path: Path, tiny: Path, backend: Backend) -> Iterator[Installation]:
    """Not started; each of its processes a Python of its own, as a user's are."""
    with installed(tmp_path / "home", tiny, backend, fork=False) as made:
        yield made


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, shared_backend: Backend
) -> Iterator[Installation]:
    """Started, with a warm model."""
    with installed(tmp_path_factory.mktemp("shared"), tiny, shared_backend) as made:
        made.start()
        made.wait_state(made.submit(), "succeeded")
        yield made
