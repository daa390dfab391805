"""One forward of a warm model over a batch with a cache and a plan. Knows no requests and chooses no tokens.

The module is called as transformers calls it, so a neutral row's numbers are the original's. Positions are
explicit, and there is no mask unless a row is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from imfine.core.equalizer import Plan
from imfine.core.recipe import Recipe
from imfine.core.text.cache import RowCache

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel

CHUNK = 1024  # tokens of a prompt in one forward: bounds the memory of its activations and logits


def new_cache(model: LoadedModel) -> RowCache:
    weight = next(model.module.parameters())
    layout = model.layout
    return RowCache(layout.layers, layout.kv_heads, layout.head_dim, model.module.dtype, weight.device)


def forward(
    model: LoadedModel, ids: torch.Tensor, cache: RowCache, plan: Plan, *, keep: int = 1
) -> torch.Tensor:
    """ids (B, T) -> logits (B, keep, V) of the last positions. `cache.begin(T)` has been called.

    The positions are chosen by index: a slice of (B, T, D) has strides for which torch copies and transposes
    the whole output matrix, 56 MB on the starter, a third of a short prompt's time.
    """
    tokens = ids.shape[1]
    kept = 1 if tokens == 1 else torch.arange(tokens - keep, tokens, device=cache.device)
    with model.equalizer.applied(plan):
        out = model.module(
            input_ids=ids,
            attention_mask=cache.mask(tokens),
            position_ids=cache.positions(tokens),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=kept,
        )
    cache.commit(tokens)
    logits: torch.Tensor = out.logits
    return logits


def prefill(
    model: LoadedModel, ids: Sequence[int], rows: int, cache: RowCache, plan: Plan, *, more: int
) -> torch.Tensor:
    """The same prompt in `rows` rows of an empty cache -> logits (rows, V) after its last token."""
    cache.fill(rows, len(ids), more=more)
    tensor = torch.tensor(ids, device=cache.device).expand(rows, -1)
    for chunk in torch.split(tensor, CHUNK, dim=1):
        cache.begin(chunk.shape[1])
        logits = forward(model, chunk, cache, plan)
    return logits[:, -1]


@torch.inference_mode()
def mean_log_probability(
    model: LoadedModel, recipe: Recipe, ids: Sequence[int], *, first: int
) -> float | None:
    """Of the tokens from `first` on, each after those before it, in nats; None where there is none."""
    first = max(first, 1)
    if len(ids) <= first:
        return None
    cache = new_cache(model)
    plan = model.equalizer.plan([recipe])
    cache.fill(1, len(ids) - 1, more=0)
    total = 0.0
    for start in range(0, len(ids) - 1, CHUNK):
        chunk = torch.tensor([ids[start : min(start + CHUNK, len(ids) - 1)]], device=cache.device)
        end = start + chunk.shape[1]  # the last position predicts ids[end]
        judged = ids[max(first, start + 1) : end + 1]
        cache.begin(chunk.shape[1])
        logits = forward(model, chunk, cache, plan, keep=max(len(judged), 1))[0]
        if judged:
            targets = torch.tensor(judged, device=cache.device)[:, None]
            total += float(logits.float().log_softmax(-1).gather(1, targets).sum())
    return total / (len(ids) - first)
