"""The server waits for the Hub no longer than it says, and for its own disk as long as it takes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from imfine.core.models import catalog as on_disk
from imfine.errors import NoNetwork
from imfine.server import catalog
from imfine.settings import settings

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> catalog.Catalog:
    """One that has no time for the Hub."""
    monkeypatch.setattr(catalog, "ASK_S", 0.0)
    return catalog.Catalog(settings())


def test_a_model_that_is_here_does_not_wait_for_the_hub(asked: catalog.Catalog, starter: Path) -> None:
    assert [asked.find(name)[0].ready for name in ("gpt2-classics", starter.name)] == [True, True]


def test_a_hub_that_says_nothing_is_told_of(asked: catalog.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(on_disk, "_hub_card", lambda *_: over.wait())
    with pytest.raises(NoNetwork, match="the Hub has told nothing of me/slow for 0 s") as told:
        asked.find("me/slow")
    over.set()
    assert told.value.field == "model"
