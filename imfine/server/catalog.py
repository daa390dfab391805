"""What the server asks core's catalog, remembered for a moment: a slider's move must not read headers again.

Knows no run. Names that a page sends lead only below the folders it is allowed (`any_folder=False`).
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imfine.core.checks import GAIN_MAX
from imfine.core.deltas.found import Delta, deltas_of, named_delta, parent_of
from imfine.core.families import Layout
from imfine.core.image.sampling import own_settings
from imfine.core.manifest import manifest
from imfine.core.models import catalog
from imfine.core.models.catalog import Card
from imfine.core.recipe import Recipe
from imfine.errors import Conflict, ImfineError, NoNetwork
from imfine.settings import Settings

KEEP_S = 5.0
ASK_S = 5.0
CLASSIC_MIN, CLASSIC_MAX = 0.1, 2.0
TEXT_SIZES = (  # null in the layout of an image model
    "heads",
    "kv_heads",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "vocab_size",
    "context_length",
    "tied_embeddings",
)


def card_to_json(card: Card) -> dict[str, Any]:
    """As the API's `Card`."""
    kinds = {None: None, "stable-diffusion": "image"}
    return {"kind": kinds.get(card.family, "text"), **card.to_json()}


def layout_to_json(card: Card, layout: Layout) -> dict[str, Any]:
    """As the API's `Layout`."""
    told = layout.to_json()
    missing: dict[str, Any] = {"image": None}
    if layout.kind == "image":
        missing = {**dict.fromkeys(TEXT_SIZES), "heads_of": {}, "qk_norm": False}
        told["image"] = {"steps": None, "guidance": None, **own_settings(card, layout)}
    return {
        **missing,
        **told,
        "gain_max": GAIN_MAX,
        "classic_min": CLASSIC_MIN,
        "classic_max": CLASSIC_MAX,
    }


@dataclass
class Catalog:
    settings: Settings
    _known: dict[tuple[str, str | None], tuple[float, Card, Layout]] = field(default_factory=dict)
    _deltas: dict[str, tuple[float, list[Delta]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "catalog"))

    def cards(self) -> list[Card]:
        return catalog.cards(self.settings)

    def find(self, ref: str, revision: str | None = None) -> tuple[Card, Layout]:
        """Waits no longer than ASK_S for the Hub; what comes later is there for the next who asks.

        Raises: what `catalog.find` raises (not found, gated, refused, broken, no network, not supported).
        """
        with self._lock:
            known = self._known.get((ref, revision))
        if known is not None and known[0] > time.monotonic():
            return known[1], known[2]
        if (card := catalog.find_here(ref, self.settings, any_folder=False)) is not None:
            return self._remember(ref, revision, card)
        asked = self._asking.submit(self._ask, ref, revision)
        try:
            return asked.result(timeout=ASK_S)
        except TimeoutError as reason:
            raise NoNetwork(
                f"the Hub has told nothing of {ref} for {ASK_S:g} s",
                remedy="try again in a moment, or choose a model that is here already",
                field="model",
                value=ref,
            ) from reason

    def _ask(self, ref: str, revision: str | None) -> tuple[Card, Layout]:
        return self._remember(ref, revision, catalog.find_on_hub(ref, self.settings, revision))

    def _remember(self, ref: str, revision: str | None, card: Card) -> tuple[Card, Layout]:
        layout = catalog.layout_of(card)
        now = time.monotonic()
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if known[0] > now}
            self._known[ref, revision] = now + KEEP_S, card, layout
        return card, layout

    def deltas(self, card: Card) -> list[Delta]:
        """What can be turned on this model."""
        with self._lock:
            known = self._deltas.get(card.id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        found = deltas_of(card, self.settings)
        with self._lock:
            self._deltas[card.id] = time.monotonic() + KEEP_S, found
        return found

    def forget_deltas(self) -> None:
        """An adapter has come or gone."""
        with self._lock:
            self._deltas.clear()

    def check_deltas(self, recipe: Recipe, card: Card) -> None:
        """Raises: RecipeError for a delta that the model has not."""
        for id in recipe.named_deltas:
            named_delta(id, card.id, self.deltas(card))

    def parent(self, card: Card) -> str | None:
        """The model that this one was trained from, where it is here as it was then."""
        told = parent_of(Path(card.path)) if card.path is not None else None
        if told is None:
            return None
        try:
            parent, _ = self.find(str(told.get("id")))
        except ImfineError:
            return None
        return (
            parent.id if any(delta.folder == Path(card.path or "") for delta in self.deltas(parent)) else None
        )

    def detail(self, ref: str) -> dict[str, Any]:
        """As the API's `ModelDetail`."""
        card, layout = self.find(ref)
        _, tensors = catalog.describe(card)
        return {
            "card": card_to_json(card),
            "layout": layout_to_json(card, layout),
            "tensors": len(tensors) or None,
            "deltas": [delta.to_json() for delta in self.deltas(card)],
            "parent": self.parent(card),
        }

    def made(self, ref: str) -> Path:
        """The folder of a model that was made here. Raises: Conflict for any other; as `find`."""
        card, _ = self.find(ref)
        folder = Path(card.path or "")
        if card.source != "made" or folder.parent != self.settings.models_dir:
            raise Conflict(
                f"{card.id} was not made here",
                remedy="delete one that was trained or baked here; others are left to who put them there",
                field="id",
                value=card.id,
            )
        return folder

    def forget(self, ref: str) -> None:
        """What was remembered of it."""
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if key[0] != ref}
            self._deltas.clear()  # it may have been one

    def manifest(self, ref: str, revision: str | None, recipe: dict[str, Any]) -> dict[str, Any]:
        """As the API's `Manifest`. Raises: Conflict for a model that is not fetched yet; RecipeError; as
        `find`."""
        card, layout = self.find(ref, revision)
        asked = Recipe.parse(recipe)
        asked.check(layout)
        _, tensors = catalog.describe(card)
        if not tensors:
            raise Conflict(
                f"{card.id} is not on this disk yet, so its tensors are not known",
                remedy=f"run it once, or fetch it with: imfine pull {card.id}",
                field="model",
                value=card.id,
            )
        shapes = {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}
        return manifest(layout, asked, shapes, self.deltas(card) if asked.named_deltas else ())
