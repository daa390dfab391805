"""One module's product under a batch's deltas: what a plan holds for it, and how it is computed.

    y = W₀x + b₀                         the module's own forward
    y + Σ δ·scale · B(A(x))              low-rank: the A's of all deltas below one another, so two products
    y + Σ δ·(W′x + b′ − y)               whole: W′'s product too, for the rows that have it
    W′x + b′                             where every row has this one at δ = 1: bitwise the trained module

x is the gained input, so an input gain covers a delta by itself. Knows no recipe and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

Product = Callable[[Tensor], Tensor]
Strengths = tuple[float, ...]  # δ of each row


@dataclass(frozen=True, eq=False)
class Change:
    """One module's ΔW in memory: up · down · scale, or `end`, or both.

    down, up    (r, in) and (r, out) in float32; of a convolution (r, in, …) and (out, r, 1, 1) in its dtype
    end         x -> W′x + b′, as the trained model computes it
    shift       (out,) float32: b′ − b₀
    """

    down: Tensor | None = None
    up: Tensor | None = None
    scale: float = 1.0
    end: Product | None = None
    shift: Tensor | None = None

    @property
    def low_rank(self) -> bool:
        return self.end is None or self.down is not None

    @property
    def rank(self) -> int:
        return 0 if self.down is None else len(self.down)


@dataclass(frozen=True, eq=False)
class Turned:
    """What a batch's recipes make of one module.

    base        in place of the module's own forward; None: that one
    ends        (product, its rows (n,) or None for all, their δ (n,) float32)
    down, up    as a Change's, of all low-rank deltas
    gains       δ·scale: one number, or (B, R) float32
    added       (B, out) float32: what low-rank deltas add to the bias
    shift       (B, out) float32: what all deltas add to it, which an output gain has to leave alone
    """

    base: Product | None = None
    ends: tuple[tuple[Product, Tensor | None, Tensor], ...] = ()
    down: Tensor | None = None
    up: Tensor | None = None
    gains: float | Tensor = 0.0
    added: Tensor | None = None
    shift: Tensor | None = None

    def __call__(self, module: nn.Module, own: Product, x: Tensor) -> Tensor:
        """x (B, T, in), (B, in) or (B, in, H, W) -> y, in its dtype."""
        y = own(x) if self.base is None else self.base(x)
        if self.ends:
            y = self._towards(y, x)
        if self.down is not None and self.up is not None:
            y = self._moved(module, x, y, self.down, self.up)
        if self.added is not None:
            y = (y + spread(self.added, y, module)).to(y.dtype)
        return y

    def _towards(self, y: Tensor, x: Tensor) -> Tensor:
        """y moved by δ towards the ends' products; in float32, rounded once."""
        own = y.float()
        if len(self.ends) == 1 and self.ends[0][1] is None:
            end, _, strength = self.ends[0]
            return torch.lerp(own, end(x).float(), _rowwise(strength, y)).to(y.dtype)
        moved = own.clone()
        for end, rows, strength in self.ends:
            at = slice(None) if rows is None else rows
            moved[at] += _rowwise(strength, y) * (end(x[at]).float() - own[at])
        return moved.to(y.dtype)

    def _moved(self, module: nn.Module, x: Tensor, y: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """y + the low-rank products."""
        if isinstance(module, nn.Conv2d):
            h = functional.conv2d(x, down, None, module.stride, module.padding, module.dilation)
            return y + functional.conv2d(self._gained(h, module), up)
        h, alpha = functional.linear(x.to(down.dtype), down), 1.0  # (B, …, R)
        if isinstance(self.gains, float):
            alpha = self.gains
        else:
            h = self._gained(h, module)
        return y.add_(torch.matmul(h, up), alpha=alpha)  # y is this product's own; rounded once

    def _gained(self, h: Tensor, module: nn.Module) -> Tensor:
        gains = self.gains if isinstance(self.gains, float) else spread(self.gains, h, module)
        return (h * gains).to(h.dtype)


def spread(values: Tensor, y: Tensor, module: nn.Module) -> Tensor:
    """(B, out) as it meets y (B, …, out), or (B, out, H, W) of a convolution."""
    if isinstance(module, nn.Conv2d):
        return values[:, :, None, None]
    return values.view(len(values), *[1] * (y.dim() - 2), -1)


def _rowwise(values: Tensor, y: Tensor) -> Tensor:
    """(n,) -> (n, 1, …)"""
    return values.view(-1, *[1] * (y.dim() - 1))


def turned(changes: Sequence[Change], strengths: Sequence[Strengths], device: torch.device) -> Turned | None:
    """`strengths[i]` are those of `changes[i]`, one for each row. None: no row is touched."""
    active = [(change, each) for change, each in zip(changes, strengths, strict=True) if any(each)]
    if not active:
        return None
    shift = _together([(change.shift, each) for change, each in active], device)
    base = next((pair for pair in active if _is_base(pair, active)), None)
    rest = [pair for pair in active if pair is not base]
    pairs = [(change, each) for change, each in rest if change.low_rank]
    ends = tuple(
        (change.end, *_rows(each, device)) for change, each in rest if not change.low_rank and change.end
    )
    added = None if shift is None else _together([(change.shift, each) for change, each in pairs], device)
    down = [change.down for change, _ in pairs if change.down is not None]
    up = [change.up for change, _ in pairs if change.up is not None]
    return Turned(
        base=None if base is None else base[0].end,
        ends=ends,
        down=None if not down else down[0] if len(down) == 1 else torch.cat(down),
        up=None if not up else up[0] if len(up) == 1 else torch.cat(up, dim=1 if up[0].dim() == 4 else 0),
        gains=_gains(pairs, device),
        added=added,
        shift=shift,
    )


def _is_base(pair: tuple[Change, Strengths], active: Sequence[tuple[Change, Strengths]]) -> bool:
    """Every row has it at 1, and nobody else asks how far its own product is from the original's."""
    others = all(change.low_rank for change, each in active if change is not pair[0])
    return pair[0].end is not None and others and all(each == 1.0 for each in pair[1])


def _gains(pairs: Sequence[tuple[Change, Strengths]], device: torch.device) -> float | Tensor:
    ranked = [(change, each) for change, each in pairs if change.rank]
    if not ranked:
        return 0.0
    if len(ranked) == 1 and len(set(ranked[0][1])) == 1:
        return ranked[0][1][0] * ranked[0][0].scale
    return _gain_tensor(tuple((each, change.scale, change.rank) for change, each in ranked), device)


@lru_cache(256)  # most modules of a delta share theirs
def _gain_tensor(parts: tuple[tuple[Strengths, float, int], ...], device: torch.device) -> Tensor:
    columns = [
        torch.tensor(each, dtype=torch.float32)[:, None].mul(scale).expand(-1, rank)
        for each, scale, rank in parts
    ]
    return torch.cat(columns, dim=1).to(device)  # (B, R)


@lru_cache(256)
def _rows(strengths: Strengths, device: torch.device) -> tuple[Tensor | None, Tensor]:
    rows = [row for row, each in enumerate(strengths) if each]
    values = torch.tensor([strengths[row] for row in rows], dtype=torch.float32, device=device)
    return (None if len(rows) == len(strengths) else torch.tensor(rows, device=device)), values


def _together(shifts: Sequence[tuple[Tensor | None, Strengths]], device: torch.device) -> Tensor | None:
    """Σ δ·Δb (B, out) float32; None: no bias is changed."""
    found = [
        torch.tensor(each, dtype=torch.float32, device=device)[:, None] * shift
        for shift, each in shifts
        if shift is not None
    ]
    return torch.stack(found).sum(0) if found else None
