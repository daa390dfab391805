"""Image models by kind, each made and loaded once, with nothing kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from small_pictures import STARTER, loaded, save

from imfine.core.image.kept import Kept


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """ "sd1", "sd2", "sdxl" or "starter", as loaded from its folder."""
    models: dict[str, Any] = {}
    lock = threading.Lock()

    def make(kind: str) -> Any:
        with lock:
            if kind not in models:
                folder = STARTER if kind == "starter" else save(kind, tmp_path_factory.mktemp(kind) / kind)
                models[kind] = loaded(folder)
        object.__setattr__(models[kind], "kept", Kept())
        return models[kind]

    return make
