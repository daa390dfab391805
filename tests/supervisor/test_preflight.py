"""What is wrong with home, disk or port is one sentence and its remedy, before anything is started."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from imfine.core import memory
from imfine.errors import SetupError
from imfine.settings import Settings, linux_home_for
from imfine.supervisor import preflight


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_home_is_made_and_held(tmp_path):
    held = preflight.Home(tmp_path / "a" / "b")
    assert held.path.stat().st_mode & 0o777 == 0o700
    held.occupy("http://127.0.0.1:7878")
    with pytest.raises(SetupError, match=r"runs already with the home .*: http://127.0.0.1:7878 \(pid \d+\)"):
        preflight.Home(tmp_path / "a" / "b")
    held.leave()
    preflight.Home(tmp_path / "a" / "b").leave()


def test_a_home_that_cannot_be_written():
    with pytest.raises(SetupError, match="cannot be written") as caught:
        preflight.Home(Path("/proc/imfine"))
    assert "--home" in caught.value.remedy


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(SetupError, match="cannot be written"):
        preflight.Home(tmp_path / "home")


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "DISK_NEEDED", 1 << 62)
    with pytest.raises(SetupError, match="is full") as caught:
        preflight.Home(tmp_path)
    assert "free some space" in caught.value.remedy


@pytest.mark.parametrize("name", ["IMFINE_HOME", "XDG_DATA_HOME"])
def test_a_home_on_a_windows_drive_is_moved_for_all_who_ask(monkeypatch, tmp_path, name):
    """Also for `imfine pull`: a model that was fetched to another place would be missing."""
    monkeypatch.delenv("IMFINE_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv(name, "/mnt/c/Users/me/imfine")
    linux = linux_home_for(Path("/mnt/c/x"))
    found = Settings()
    assert (found.home, found.home_moved, found.models_dir) == (linux, True, linux / "models")
    assert linux.parts[1:2] != ("mnt",)
    monkeypatch.setenv("IMFINE_HOME", str(tmp_path))
    assert (Settings().home, Settings().home_moved) == (tmp_path, False)
    assert linux_home_for(Path("/mnt/data/imfine")) == Path("/mnt/data/imfine")


def test_a_free_port_is_bound():
    with preflight.bind("127.0.0.1", 0) as bound:
        assert bound.getsockname()[1] > 0


def test_a_taken_port_names_a_free_one(taken):
    with pytest.raises(SetupError, match=f"port {taken} is taken by another program") as caught:
        preflight.bind("127.0.0.1", taken)
    assert str(caught.value.params) == "{}"
    offered = int(caught.value.remedy.split()[-1])
    preflight.bind("127.0.0.1", offered).close()


@pytest.mark.parametrize("host", ["10.255.255.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours(host):
    with pytest.raises(SetupError) as caught:
        preflight.bind(host, 7878)
    assert "--host" in caught.value.remedy


def test_little_memory_is_said(monkeypatch):
    monkeypatch.setattr(memory, "total", lambda: 4 << 30)
    assert "4.0 GB" in preflight.memory_warning()
    monkeypatch.setattr(memory, "total", lambda: 8 << 30)
    monkeypatch.setattr(memory, "available", lambda: 6 << 30)
    assert preflight.memory_warning() is None
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)
    assert "1.0 GB" in preflight.memory_warning()
