"""A home with a small model and what was trained from it or given for it, for tests of deltas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from model_folders import save_model
from small_models import prompt
from training import Source, run

from imfine.core.deltas.found import GIVEN
from imfine.core.deltas.loaded import load_deltas
from imfine.core.models.checksum import checksum
from imfine.core.models.folders import ADAPTERS
from imfine.core.models.load import LoadedModel, load
from imfine.core.recipe import Recipe
from imfine.settings import Settings


@dataclass
class Home:
    """`parent`: a small model that is called so."""

    settings: Settings

    @property
    def parent(self) -> Path:
        return self.settings.models_dir / "parent"

    @property
    def checksum(self) -> str:
        return checksum(self.parent, self.settings.home)

    def train(self, name: str, **plan: Any) -> Path:
        """A model trained from it for a few large steps."""
        out = self.settings.models_dir / name
        source = Source(self.parent, "parent", self.checksum)
        run(source, out, **{"steps": 3, "lr": 5e-3, "rank": 4, "eval_share": 0.0, **plan})
        return out

    def adapter(self, name: str, **facts: Any) -> Path:
        """An empty folder of an adapter of the parent's."""
        folder = self.settings.home / ADAPTERS / name
        folder.mkdir(parents=True)
        parent = {"id": "parent", "checksum": self.checksum}
        (folder / GIVEN).write_text(json.dumps({"parent": parent, **facts}))
        return folder

    def load(self, name: str = "parent", dtype: str = "float32") -> Any:
        return list(load(name, dtype=dtype, settings=self.settings))[-1]


def text_home(home: Path, architecture: str = "LlamaForCausalLM", **changes: Any) -> Home:
    made = Home(Settings(home=home))
    save_model(made.parent, architecture, **changes)
    return made


def answers(model: LoadedModel, *recipes: Recipe, length: int = 7) -> torch.Tensor:
    """logits (B, T, V) of the same random tokens under each recipe; deltas are read first."""
    list(load_deltas(model, recipes))
    plan = model.equalizer.plan(recipes)
    with torch.inference_mode(), model.equalizer.applied(plan):
        found: torch.Tensor = model.module(prompt(len(recipes), length)).logits
    return found


def plain(model: LoadedModel, rows: int = 1, length: int = 7) -> torch.Tensor:
    """The same without a plan."""
    with torch.inference_mode():
        found: torch.Tensor = model.module(prompt(rows, length)).logits
    return found
