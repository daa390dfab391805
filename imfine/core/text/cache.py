"""Keys and values of a batch whose rows come and go. Knows columns and rows, not what they mean.

One tensor holds every layer. All rows end at the same column, so a step writes one column and attention reads
one window of it; a shorter row has zeros to its left, which the mask hides.

          start        end
    row 0   |  k k k k k |        rows join right-aligned (`absorb`), leave by swapping with
    row 1   |  · · k k k |        the last (`drop`), and the room doubles when it is used up
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

KEPT_BYTES = 256 * 2**20  # an empty batch keeps its memory up to here: the next request comes soon


class BrokenOff(Exception):
    """A forward ended between two layers, as it was asked to. Nothing of it counts: it was not committed."""


_asked: ContextVar[Callable[[], bool] | None] = ContextVar("imfine_break_off", default=None)


@contextmanager
def may_break_off(asked: Callable[[], bool]) -> Iterator[None]:
    """Forwards of this thread ask before every layer, and raise BrokenOff where the answer is yes."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


class RowCache(Cache):  # type: ignore[misc] # transformers' types are not read
    """transformers' cache interface over `store` (layers, 2, rows, kv_heads, columns, head_dim)."""

    def __init__(
        self, layers: int, kv_heads: int, head_dim: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(layers=[_Layer(self, i) for i in range(layers)])
        self.kv_heads, self.head_dim, self.dtype, self.device = kv_heads, head_dim, dtype, device
        self.store = self._empty(0, 0)
        self.lengths: list[int] = []  # tokens of each row
        self.start = self.end = 0
        self.slots: tuple[
            torch.Tensor, ...
        ] = ()  # where this forward writes, key and value of each layer in turn
        self.windows: tuple[torch.Tensor, ...] = ()  # what it reads

    @property
    def span(self) -> int:
        return self.end - self.start

    def bytes_for(self, rows: int, columns: int) -> int:
        return len(self.layers) * 2 * rows * self.kv_heads * columns * self.head_dim * self.dtype.itemsize

    def fill(self, rows: int, tokens: int, *, more: int) -> None:
        """Give an empty cache `rows` rows, and room for `tokens` columns and `more` that may follow."""
        assert not self.lengths, "only an empty cache is filled"
        self._make_room(rows, 0, tokens + more)
        self.lengths = [0] * rows

    def begin(self, tokens: int) -> None:
        """Every row gets `tokens` new columns in the forward that follows."""
        if self.end + tokens > self.store.shape[4]:
            self._make_room(len(self.lengths), self.span, tokens)
        rows = self.store.narrow(2, 0, len(self.lengths)).flatten(
            0, 1
        )  # (2·layers, rows, kv_heads, columns, d)
        self.slots = rows.narrow(3, self.end, tokens).unbind(0)
        self.windows = rows.narrow(3, self.start, self.span + tokens).unbind(0)

    def commit(self, tokens: int) -> None:
        """The forward is through."""
        self.end += tokens
        self.lengths = [n + tokens for n in self.lengths]
        self.slots = self.windows = ()

    def mask(self, tokens: int) -> torch.Tensor | None:
        """(rows, span + tokens), False where a row is padded; None where no row is."""
        pads = [self.span - n for n in self.lengths]
        if not any(pads):
            return None
        columns = torch.arange(self.span + tokens, device=self.device)
        return columns >= torch.tensor(pads, device=self.device)[:, None]

    def positions(self, tokens: int) -> torch.Tensor:
        """(rows, tokens): each row counts its own tokens."""
        first = torch.tensor(self.lengths, device=self.device)[:, None]
        return first if tokens == 1 else first + torch.arange(tokens, device=self.device)

    def absorb(self, other: RowCache) -> None:
        """Append the rows of `other`, which has no padding."""
        rows, n = len(self.lengths), len(other.lengths)
        self._make_room(rows + n, max(self.span, other.span), 1)
        left = self.end - other.span
        block = self.store.narrow(2, rows, n)
        block.narrow(4, 0, left).zero_()  # hidden by the mask, yet it must be finite
        block.narrow(4, left, other.span).copy_(other.store[:, :, :n, :, other.start : other.end])
        self.lengths += other.lengths
        self.start = self.end - max(self.lengths)

    def clear(self) -> None:
        while self.lengths:
            self.drop(len(self.lengths) - 1)

    def drop(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        last = len(self.lengths) - 1
        if row != last:
            window = self.store[..., self.start : self.end, :]
            window[:, :, row].copy_(window[:, :, last])
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self.start = self.end - max(self.lengths, default=0)
        if not self.lengths:
            self.start = self.end = 0
            if self.store.nbytes > KEPT_BYTES:
                self.store = self._empty(0, 0)

    def _make_room(self, rows: int, span: int, need: int) -> None:
        """Let `rows` rows fit, the longest `span` columns long, with `need` columns to come."""
        have_rows, have_columns = self.store.shape[2], self.store.shape[4]
        if rows <= have_rows and span <= self.end and self.end + need <= have_columns:
            return
        n = len(self.lengths)
        held = self.store[:, :, :n, :, self.start : self.end]
        if rows <= have_rows and span + max(need, span // 2) <= have_columns:
            target = self.store  # the same memory, moved to other columns
            held = held.clone()
        else:
            if rows > have_rows and self.span:
                rows = max(rows, 2 * have_rows)
            target = self._empty(max(rows, have_rows), max(span + max(need, span), have_columns))
        pad = span - self.span  # columns left of what is held that a longer row will use
        target[:, :, :n, :, :pad].zero_()
        target[:, :, :n, :, pad:span].copy_(held)
        self.store, self.start, self.end = target, pad, span

    def _empty(self, rows: int, columns: int) -> torch.Tensor:
        shape = (len(self.layers), 2, rows, self.kv_heads, columns, self.head_dim)
        return torch.empty(shape, dtype=self.dtype, device=self.device)


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's view; the arithmetic is the cache's."""

    is_sliding = False  # all columns are kept; a sliding window is the mask's business
    supports_early_init = False

    def __init__(self, cache: RowCache, index: int) -> None:
        super().__init__()
        self.cache, self.index = cache, index

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        raise NotImplementedError("the cache makes its store itself")

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, kv_heads, tokens, d) in, (rows, kv_heads, span + tokens, d) out. Raises: BrokenOff."""
        cache, i = self.cache, 2 * self.index
        asked = _asked.get()
        if asked is not None and asked():
            raise BrokenOff
        cache.slots[i].copy_(key_states)
        cache.slots[i + 1].copy_(value_states)
        return cache.windows[i], cache.windows[i + 1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.span + query_length, 0

    def get_seq_length(self) -> int:
        return self.cache.span

    def get_max_length(self) -> int:
        return -1
