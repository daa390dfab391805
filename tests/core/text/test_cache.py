"""The cache against the plainest thing that could be: a list of each row's tokens."""

from __future__ import annotations

import random

import torch

from imfine.core.text.cache import RowCache

LAYERS, HEADS, DIM = 2, 2, 4


def new() -> RowCache:
    return RowCache(LAYERS, HEADS, DIM, torch.float32, torch.device("cpu"))


def write(cache: RowCache, rows: list[list[float]]) -> None:
    """One column: the last number of each row, told apart by layer and by key or value."""
    cache.begin(1)
    last = torch.tensor([row[-1] for row in rows])[:, None, None, None].expand(-1, HEADS, 1, DIM)
    for layer in range(LAYERS):
        cache.update(last + layer / 10, -last - layer / 10, layer)
    cache.commit(1)


def check(cache: RowCache, rows: list[list[float]]) -> None:
    assert cache.lengths == [len(row) for row in rows]
    assert cache.get_seq_length() == cache.span == max(map(len, rows), default=0)
    if not rows:
        return
    mask = cache.mask(0)
    held = cache.store[:, :, : len(rows), :, cache.start : cache.end]
    assert held.isfinite().all()  # a masked NaN would still be a NaN
    for i, row in enumerate(rows):
        pad = cache.span - len(row)
        assert (mask is None and pad == 0) or mask[i].tolist() == [False] * pad + [True] * len(row)
        for layer in range(LAYERS):
            expected = torch.tensor(row) + layer / 10
            assert torch.equal(held[layer, 0, i, 0, pad:, 0], expected)
            assert torch.equal(held[layer, 1, i, 1, pad:, 3], -expected)
    assert cache.positions(1).flatten().tolist() == [len(row) for row in rows]


def test_rows_join_grow_and_leave_in_any_order():
    for seed in range(30):
        draw = random.Random(seed)
        cache, rows, n = new(), [], 0
        cache.store.fill_(float("nan"))
        for _ in range(120):
            what = draw.random()
            if what < 0.15 and len(rows) < 9:
                count, length = draw.randrange(1, 4), draw.randrange(1, 25)
                joining = [[] for _ in range(count)]
                other = new() if rows else cache
                other.fill(count, length, more=draw.randrange(5))
                other.store.fill_(float("nan"))
                for _ in range(length):
                    for row in joining:
                        row.append(float(n := n + 1))
                    write(other, joining)
                if rows:
                    cache.absorb(other)
                rows += joining
            elif what < 0.3 and rows:
                i = draw.randrange(len(rows))
                cache.drop(i)
                rows[i] = rows[-1]
                rows.pop()
            elif rows:
                for row in rows:
                    row.append(float(n := n + 1))
                write(cache, rows)
            check(cache, rows)


def test_what_attention_reads_is_what_was_written():
    cache = new()
    cache.fill(2, 3, more=1)
    for _ in range(6):  # past the room that was asked for
        cache.begin(1)
        key = torch.randn(2, HEADS, 1, DIM)
        keys, values = cache.update(key, -key, 1)
        assert torch.equal(keys[:, :, -1:], key)
        assert torch.equal(values[:, :, -1:], -key)
        assert keys.shape[2] == cache.span + 1 == cache.get_mask_sizes(1, 1)[0]
        cache.commit(1)


def test_an_empty_cache_keeps_a_little_memory_but_not_much(monkeypatch):
    cache = new()
    cache.fill(2, 8, more=8)
    cache.commit(8)
    cache.clear()
    assert cache.store.nbytes == cache.bytes_for(2, 16)
    monkeypatch.setattr("imfine.core.text.cache.KEPT_BYTES", 10)
    cache.fill(2, 8, more=8)
    cache.commit(8)
    cache.clear()
    assert cache.store.nbytes == 0
