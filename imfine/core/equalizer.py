"""Gains on a live model: one recipe per row of the batch, as an argument of the forward.

    x (B, T, D) ──► norm ──► matrix ──► y (B, T, O)
        ×√(ε/ε′) ↑      ↑ ×g      ↑ y·g + b·(1−g)
        EPS, into it    input     output columns: one part of a fused matrix, single heads, a norm's weight

(g·W)x + b = W(g·x) + b, and norm(x; ε′) = norm(x·√(ε/ε′); ε). A UNet's convolutions and GroupNorms see
(B, C, H, W): y·g + b·(β−g) scales weight by g and bias by β (STYLE), M·y mixes the colours (TONE). A delta
takes the place of a module's product (deltas/live.py), and b is then the bias it makes. Weights are never
touched. Hooks read the plan from a ContextVar, so two threads with different plans never meet, and a forward
without a plan is the original's. Knows modules by the names its family's row gives; knows nothing of prompts,
lanes or caches.

Quantised matrices (bitsandbytes' 8 and 4 bits) work by the same hooks, which see inputs, outputs and biases
only. In 8 bits what comes in is rounded too, and which columns are not is decided over the whole batch: a
neighbour can change how a row is rounded there. Tested on the CPU; no GPU has run it yet.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from imfine.core.deltas.live import Turned, spread, turned
from imfine.core.deltas.strength import Places
from imfine.core.families import Layout, Weight, name_in
from imfine.core.recipe import Gains, Recipe
from imfine.core.tones import BiasedGain
from imfine.errors import RecipeError

if TYPE_CHECKING:
    from imfine.core.deltas.found import Delta
    from imfine.core.deltas.loaded import LoadedDelta

KEPT_RECIPES = 256  # their gains are kept spelt out: a plan is rebuilt whenever a row joins or leaves
Values = tuple[float, ...]
NEUTRAL: Values = (1.0,)
UNBIASED = BiasedGain(1.0, 1.0)
CHANNELS_FIRST = (nn.Conv2d, nn.GroupNorm)  # they see (B, C, H, W)


@dataclass(frozen=True, eq=False)
class Plan:
    """The gains and deltas of one batch. Holds only modules where some row's gain is not 1, or its δ not 0.

    inputs[module]   float32 (B, 1, 1) or (B, 1, D): what goes in is multiplied by it
    outputs[module]  float32 (B, 1, 1) or (B, 1, O): y becomes y·g + c·(1−g), c being what is not the weight's
    biases[module]   float32 (B, C, 1, 1), with outputs[module]: in place of c·(1−g)
    mixes[module]    float32 (B, C, C): y becomes M·y along its channels
    deltas[module]   in place of the module's own product (deltas/live.py); gains of y come after it
    (modules that see heads or pixels on axes of their own: (B, 1, 1, 1))
    """

    recipes: tuple[Recipe, ...]
    inputs: dict[nn.Module, Tensor] = field(default_factory=dict)
    outputs: dict[nn.Module, Tensor] = field(default_factory=dict)
    biases: dict[nn.Module, Tensor] = field(default_factory=dict)
    mixes: dict[nn.Module, Tensor] = field(default_factory=dict)
    deltas: dict[nn.Module, Turned] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.recipes)

    @property
    def modules(self) -> set[nn.Module]:
        """Those where some row's gain is not 1, or its δ not 0."""
        return {*self.inputs, *self.outputs, *self.mixes, *self.deltas}

    @property
    def is_neutral(self) -> bool:
        return not self.modules

    @property
    def nbytes(self) -> int:
        tables = (self.inputs, self.outputs, self.biases, self.mixes)
        storages = {
            t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
            for table in tables
            for t in table.values()
        }
        return sum(storages.values())


class _Pass:
    """A plan while it is applied, and the last input that was scaled: q, k and v share theirs."""

    __slots__ = ("last", "plan")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.last: tuple[Tensor | None, Tensor | None, Tensor | None] = (None, None, None)


_current: ContextVar[_Pass | None] = ContextVar("imfine_plan", default=None)


class Equalizer:
    """Hooks on a model's layers. `plan` makes a batch's gains, `applied` puts them to work:

        plan = equalizer.plan([Recipe(), Recipe(attn=1.2)])
        with equalizer.applied(plan):
            logits = module(input_ids).logits  # (2, T, V): the original, and the tuned

    A hook is put on a module when the first plan needs it, and stays until `close`.
    """

    def __init__(self, module: nn.Module, layout: Layout) -> None:
        self.layout = layout
        self.deltas: dict[str, LoadedDelta] = {}  # by id, the one used last at the end; see load_deltas
        self._modules = dict(module.named_modules())
        self._device = next(module.parameters()).device
        self._hooks: dict[tuple[str, str], RemovableHandle] = {}
        self._hooking = threading.Lock()
        for name in layout.entrances:
            self._hooks["rows", name] = self.module(name).register_forward_pre_hook(_begin)
        self._forwards: dict[str, nn.Module] = {}  # modules whose forward looks for deltas
        self._spelt_out = lru_cache(KEPT_RECIPES)(self._spell_out)
        self._places = Places(layout)
        self._owners = {  # the segment that each feature of a cut side belongs to
            weight: torch.arange(len(cut)).repeat_interleave(torch.tensor([segment.size for segment in cut]))
            for weight, cut in layout.segments.items()
        }
        self._norms = frozenset(norm for band in layout.bands for norm in band.norms)
        self._heads_apart = frozenset(  # norms of q and k see (B, T, H, head_dim)
            norm for band in layout.bands for norm in band.point_norms.values()
        )

    @property
    def delta_bytes(self) -> int:
        """Of the deltas in memory."""
        return sum(delta.nbytes for delta in self.deltas.values())

    @property
    def known_deltas(self) -> list[Delta]:
        """What is told of the deltas in memory."""
        return [loaded.delta for loaded in self.deltas.values()]

    @contextmanager
    def applied(self, plan: Plan) -> Iterator[None]:
        """Forwards of this thread carry the plan. Never yield out of the block: the caller would carry it."""
        token = _current.set(None if plan.is_neutral else _Pass(plan))
        try:
            yield
        finally:
            _current.reset(token)

    def plan(self, recipes: Sequence[Recipe]) -> Plan:
        """The gains for a batch with these recipes as rows; cheap to rebuild when a row joins or leaves.

        Raises:
            RecipeError: a recipe does not fit the model.
        """
        rows: defaultdict[tuple[str, str], list[Values]] = defaultdict(lambda: [NEUTRAL] * len(recipes))
        cut: dict[tuple[str, str], Weight] = {}  # where some row has a gain per segment
        biased: defaultdict[str, list[BiasedGain]] = defaultdict(lambda: [UNBIASED] * len(recipes))
        mixed: dict[str, Tensor] = {}
        for row, recipe in enumerate(recipes):
            gains = self._spelt_out(recipe)
            for name, gain in gains.weights.items():
                side = "output" if len(gain.values) > 1 and gain.weight.heads != "in" else "input"
                rows[side, name][row] = gain.values
                if len(gain.values) > 1:
                    cut[side, name] = gain.weight
            for name, factor in gains.norms.items():
                rows["output", name][row] = (factor,)
            for name, factor in gains.eps.items():
                rows["input", name][row] = (factor**-0.5,)
            for name, both in gains.biased.items():
                biased[name][row] = both
            for name, matrix in gains.mixed.items():
                made = torch.tensor(matrix, dtype=torch.float32)  # (C, C)
                mixed.setdefault(name, torch.eye(len(made), dtype=made.dtype).repeat(len(recipes), 1, 1))
                mixed[name][row] = made

        plan = Plan(tuple(recipes))
        self._put_deltas(plan)
        self._put_gains(plan, rows, cut)
        for name, every in biased.items():
            self._put_biased(plan, name, every)
        for name, matrices in mixed.items():
            self._hook("mix", name)
            plan.mixes[self.module(name)] = matrices.to(self._device)
        return plan

    def _put_deltas(self, plan: Plan) -> None:
        rows: defaultdict[str, defaultdict[str, list[float]]]  # module → delta → δ of each row
        rows = defaultdict(lambda: defaultdict(lambda: [0.0] * plan.rows))
        for row, recipe in enumerate(plan.recipes):
            for id in recipe.named_deltas:
                if (delta := self.deltas.get(id)) is None:
                    raise RecipeError(
                        f"the delta {id} is not in memory",
                        remedy="name a delta of this model",
                        field=f"recipe.deltas.{id}",
                        value=id,
                    )
                for name, strength in self._places.strengths(recipe.deltas[id], delta.changes).items():
                    rows[name][id][row] = strength
        for name, deltas in rows.items():
            changes = [self.deltas[id].changes[name] for id in deltas]
            made = turned(changes, [tuple(each) for each in deltas.values()], self._device)
            if made is not None:
                self._look_for_deltas(name)
                plan.deltas[self.module(name)] = made

    def _look_for_deltas(self, name: str) -> None:
        with self._hooking:
            if name not in self._forwards:
                module = self._forwards[name] = self.module(name)
                module.forward = partial(_forward, module, module.forward)

    def _put_gains(
        self, plan: Plan, rows: dict[tuple[str, str], list[Values]], cut: dict[tuple[str, str], Weight]
    ) -> None:
        made: dict[tuple[str, str], Tensor] = {}
        by_weight: defaultdict[Weight | None, list[tuple[str, str]]] = defaultdict(list)
        for place in rows:
            by_weight[cut.get(place)].append(place)
        for weight, places in by_weight.items():
            made.update(zip(places, self._tensors(weight, [rows[place] for place in places]), strict=True))

        shared: dict[tuple[str, tuple[Values, ...]], Tensor] = {}
        for place, values in made.items():
            side, name = place
            module = self.module(name)
            self._hook(side, name)
            apart = name in self._heads_apart or isinstance(module, CHANNELS_FIRST)
            tensor = values.unsqueeze(-1) if apart else values  # (B, 1, 1) -> (B, 1, 1, 1)
            if side == "output":
                plan.outputs[module] = tensor
            elif place in cut:
                plan.inputs[module] = tensor
            else:  # one tensor for q, k and v with the same gains: their common input is scaled once
                key = (name.rpartition(".")[0], tuple(rows[place]))
                plan.inputs[module] = tensor if apart else shared.setdefault(key, tensor)

    def _put_biased(self, plan: Plan, name: str, every: list[BiasedGain]) -> None:
        module = self.module(name)
        self._hook("output", name)
        both = torch.tensor([(each.weight, each.bias) for each in every], dtype=torch.float32)  # (B, 2)
        weight, bias = both.to(self._device).view(-1, 2, 1, 1, 1).unbind(1)  # (B, 1, 1, 1) each
        own = _bias(module)  # (1, C, 1, 1)
        if (delta := plan.deltas.get(module)) is not None and delta.shift is not None:
            own = own + delta.shift[:, :, None, None]  # (B, C, 1, 1)
        plan.outputs[module] = weight
        plan.biases[module] = own * (bias - weight)  # (B, C, 1, 1)

    def module(self, name: str) -> nn.Module:
        """By our name of it."""
        module: nn.Module = self._modules[name_in(self._modules, name) or name]
        return module

    def close(self) -> None:
        """Takes the hooks off."""
        for module in self._forwards.values():
            del module.forward
        self._forwards.clear()
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()

    def _spell_out(self, recipe: Recipe) -> Gains:
        recipe.check(self.layout)
        return recipe.gains(self.layout)

    def _tensors(self, weight: Weight | None, places: list[list[Values]]) -> Sequence[Tensor]:
        """One (B, 1, 1) each, or (B, 1, features) along the cut side of `weight`, all from one transfer."""
        if weight is None:
            values = torch.tensor(places, dtype=torch.float32)  # (places, B, 1)
            return values.to(self._device).unsqueeze(-1).unbind()
        owner = self._owners[weight]
        segments = len(self.layout.segments[weight])
        spread = [[row * segments if len(row) == 1 else row for row in place] for place in places]
        values = torch.tensor(spread, dtype=torch.float32)[..., owner]  # (places, B, segments -> features)
        return values.to(self._device).unsqueeze(2).unbind()

    def _hook(self, side: str, name: str) -> None:
        with self._hooking:  # two hooks would scale twice
            if (side, name) not in self._hooks:
                self._hooks[side, name] = self._register(side, name)

    def _register(self, side: str, name: str) -> RemovableHandle:
        module, layout = self.module(name), self.layout
        handle: RemovableHandle
        if side == "input":
            handle = module.register_forward_pre_hook(_scale_input)
        elif side == "mix":
            handle = module.register_forward_hook(_mix_channels)
        elif isinstance(module, CHANNELS_FIRST):
            handle = module.register_forward_hook(_scale_channels)
        elif layout.norm_offset and name in self._norms:
            scale = partial(_scale_offset_norm, layout.norm_offset, layout.eps_attr)
            handle = module.register_forward_hook(scale)
        else:
            handle = module.register_forward_hook(_scale_output)
        return handle


def _begin(module: nn.Module, args: tuple[Any, ...]) -> None:
    """Before the first layer: a batch of another width would be broadcast silently."""
    live = _current.get()
    if live is None:
        return
    live.last = (None, None, None)
    assert args[0].shape[0] == live.plan.rows, f"{live.plan.rows} recipes for {args[0].shape[0]} rows"


def _forward(module: nn.Module, own: Any, x: Tensor, *rest: Any, **named: Any) -> Tensor:
    """The module's own forward, or its product under the plan's deltas."""
    live = _current.get()
    if live is None or (delta := live.plan.deltas.get(module)) is None:
        y: Tensor = own(x, *rest, **named)
        return y
    return delta(module, own, x)


def _scale_input(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    live = _current.get()
    if live is None or (gain := live.plan.inputs.get(module)) is None:
        return None
    x = args[0]
    last_x, last_gain, scaled = live.last
    if last_x is not x or last_gain is not gain:
        scaled = (x * gain).to(x.dtype)  # (B, T, D) * (B, 1, 1 or D) in float32, rounded once
        live.last = (x, gain, scaled)
    return (scaled, *args[1:])


def _scale_output(module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor | None:
    live = _current.get()
    if live is None or (gain := live.plan.outputs.get(module)) is None:
        return None
    scaled = y * gain  # (B, T, O) * (B, 1, 1 or O)
    if (bias := getattr(module, "bias", None)) is not None:
        if (delta := live.plan.deltas.get(module)) is not None and delta.shift is not None:
            bias = bias + spread(delta.shift, y, module)
        scaled = scaled + bias * (1 - gain)
    return scaled.to(y.dtype)


def _scale_channels(module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor | None:
    live = _current.get()
    if live is None or (gain := live.plan.outputs.get(module)) is None:
        return None
    bias = live.plan.biases.get(module)  # (B, C, 1, 1)
    if bias is None:
        bias = _bias(module) * (1 - gain)
    return (y * gain + bias).to(y.dtype)  # (B, C, H, W) * (B, 1, 1, 1)


def _bias(module: nn.Module) -> Tensor:
    """(1, C, 1, 1) in float32."""
    bias = module.bias
    assert isinstance(bias, Tensor)
    return bias.float().view(1, -1, 1, 1)


def _mix_channels(module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor | None:
    live = _current.get()
    if live is None or (matrices := live.plan.mixes.get(module)) is None:
        return None
    mixed = torch.einsum("bij,bjhw->bihw", matrices, y.float())  # (B, C, C), (B, C, H, W)
    return mixed.to(y.dtype)


def _scale_offset_norm(
    offset: float, eps_attr: str, module: nn.Module, args: tuple[Any, ...], y: Tensor
) -> Tensor | None:
    """(offset + g·w)·x̂ = y·g + offset·x̂·(1−g), with x̂ the normalised input (RMSNorm)."""
    live = _current.get()
    if live is None or (gain := live.plan.outputs.get(module)) is None:
        return None
    x = args[0].float()
    normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + getattr(module, eps_attr))
    scaled: Tensor = y * gain + offset * normed * (1 - gain)
    return scaled.to(y.dtype)
