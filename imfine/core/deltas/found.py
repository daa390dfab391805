"""Which deltas a model has: what was trained from it, and the adapters that were given for it.

Plain Python, by names and headers. A delta belongs to a model by the checksum of the model's weights, which
its folder tells: imfine-train.json in a models directory, or in <home>/adapters/<id>/ that or adapter.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imfine.core.deltas.adapter import Pair, read_adapter
from imfine.core.deltas.keys import Modules
from imfine.core.deltas.knob import HIGH, LOW, PARTS
from imfine.core.deltas.strength import Places
from imfine.core.families import stored
from imfine.core.models.catalog import Card
from imfine.core.models.checksum import checksum
from imfine.core.models.folders import ADAPTERS, FACTS, NAME, converted_dir, read_origin
from imfine.core.models.local import Local, is_model, read_local
from imfine.core.models.weights import TensorInfo, read_folder, read_json
from imfine.core.train.plan import Plan
from imfine.core.train.targets import targets
from imfine.errors import AdapterError, ImfineError, ModelBroken, RecipeError
from imfine.settings import Settings

GIVEN = "adapter.json"  # what is told of an adapter that was given: its model, its name
KNOB_HIGH = HIGH  # a page's knob goes from 0 to 2, a slider's from −2
Kind = Literal["trained", "adapter", "slider"]


@dataclass(frozen=True)
class End:
    """A module of the trained model: what its folder has in place of the parent's tensors."""

    weight: TensorInfo
    bias: TensorInfo | None


@dataclass(frozen=True)
class Delta:
    """A delta as it lies on the disk, held against its model.

    pairs   low-rank, by module; ends: whole, by module. One that was trained as LoRA has both.
    """

    id: str
    kind: Kind
    method: Literal["full", "lora", "dora", "qlora"]
    parts: tuple[str, ...]  # attn, mlp: what it changes of them
    parameters: tuple[str, ...]  # what it changes: "model.layers.0.self_attn.q_proj.weight"
    size: int  # bytes that it takes on the disk
    low: float
    high: float
    label: Mapping[str, str] | None  # in the page's languages
    folder: Path
    pairs: Mapping[str, Pair] = field(default_factory=dict, repr=False)
    ends: Mapping[str, End] = field(default_factory=dict, repr=False)

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.pairs, *self.ends]))

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "method": self.method,
            "parts": list(self.parts),
            "tensors": len(self.parameters),
            "size": self.size,
            "low": self.low,
            "high": self.high,
            "label": None if self.label is None else dict(self.label),
        }


def deltas_of(card: Card, settings: Settings) -> list[Delta]:
    """Those of a model on this disk, trained ones first. What is broken is left out."""
    candidates = list(_candidates(settings))
    parent = weights_folder(card, settings)
    if not candidates or parent is None:
        return []
    own = checksum(parent, settings.home)
    candidates = [each for each in candidates if each[2] == own]
    if not candidates:
        return []
    model = read_local(parent)
    modules = modules_of(model)
    found: dict[str, Delta] = {}
    for id, folder, _ in candidates:
        try:
            found.setdefault(id, read_delta(id, folder, model, modules))
        except ImfineError:
            continue
    return sorted(found.values(), key=lambda delta: (delta.kind != "trained", delta.id))


def named_delta(id: str, model: str, deltas: Sequence[Delta]) -> Delta:
    """Raises: RecipeError when the model has no delta of this name."""
    for delta in deltas:
        if delta.id == id:
            return delta
    names = ", ".join(delta.id for delta in deltas)
    raise RecipeError(
        f"{model} has no delta {id}",
        remedy=f"its deltas are {names}" if names else "train one from it, or give an adapter that fits it",
        field=f"recipe.deltas.{id}",
        value=id,
        reason="unknown_delta",
        model=model,
        deltas=[delta.id for delta in deltas],
    )


def weights_folder(card: Card, settings: Settings) -> Path | None:
    """The folder of a model's weights; None: it is not on this disk, or a file that was never opened."""
    if card.path is None or not card.ready:
        return None
    path = Path(card.path)
    if path.is_dir():
        return path
    made = converted_dir(path, settings.home)
    return made if read_origin(made) is not None else None


def parent_of(folder: Path) -> dict[str, Any] | None:
    """{"id", "checksum"} of what a folder was made from, as it tells itself; None: it tells nothing."""
    try:
        parent = facts_of(folder).get("parent")
    except ModelBroken:
        return None
    return parent if isinstance(parent, dict) and isinstance(parent.get("checksum"), str) else None


def facts_of(folder: Path) -> dict[str, Any]:
    """What a folder tells of how it was made; {}: nothing. Raises: ModelBroken."""
    file = next((folder / name for name in (FACTS, GIVEN) if (folder / name).is_file()), None)
    return {} if file is None else read_json(file)


def read_delta(id: str, folder: Path, model: Local, modules: Modules) -> Delta:
    """Raises: AdapterError, ModelBroken."""
    facts = facts_of(folder)
    slider = facts.get("kind") == "slider"
    pairs: Mapping[str, Pair] = {}
    ends: Mapping[str, End] = {}
    if is_model(folder):
        plan = facts.get("plan") or {}
        method, kind = str(plan.get("method")), "trained"
        ends = _ends(folder, model, plan, modules)
        within = folder / str(facts.get("adapter"))
        plain = method in ("lora", "qlora") and bool(facts.get("adapter"))
        if plain and within.resolve().is_relative_to(folder.resolve()):
            pairs = read_adapter(within, modules).pairs
    else:
        adapter = read_adapter(folder, modules)
        pairs, method, kind = adapter.pairs, adapter.method, "slider" if slider else "adapter"
    parameters = tuple(_parameters(pairs, ends))
    if not parameters:
        raise AdapterError(f"{id} changes nothing", remedy="give another", field="adapter", value=id)
    places = Places(model.layout)
    touched = {places.part(module) for module in (*pairs, *ends)}
    size = sum(pair.nbytes for pair in pairs.values()) or sum(
        end.weight.nbytes + (end.bias.nbytes if end.bias else 0) for end in ends.values()
    )
    label = facts.get("label")
    return Delta(
        id=id,
        kind=kind,  # type: ignore[arg-type] # of the three words above
        method=method,  # type: ignore[arg-type]
        parts=tuple(part for part in PARTS if part in touched),
        parameters=parameters,
        size=size,
        low=_limit(facts.get("low"), LOW if slider else 0.0),
        high=_limit(facts.get("high"), KNOB_HIGH),
        label={str(k): str(v) for k, v in label.items()} if isinstance(label, dict) else None,
        folder=folder,
        pairs=pairs,
        ends=ends,
    )


def modules_of(model: Local) -> Modules:
    """Raises: ModelBroken when a tensor is missing."""
    return Modules(model.layout, {name: info.shape for name, info in (model.tensors or {}).items()})


def _candidates(settings: Settings) -> Iterator[tuple[str, Path, str]]:
    """(id, folder, the parent's checksum) of all that tell a parent."""
    for home in (settings.models_dir, settings.home / ADAPTERS):
        try:
            folders = sorted(folder for folder in home.iterdir() if folder.is_dir())
        except OSError:  # not made yet
            continue
        for folder in folders:
            if NAME.fullmatch(folder.name) and (parent := parent_of(folder)) is not None:
                yield folder.name, folder, parent["checksum"]


def _ends(folder: Path, model: Local, plan: Mapping[str, Any], modules: Modules) -> dict[str, End]:
    """Every matrix that was trained."""
    tensors = read_folder(folder)
    found = {}
    for target in targets(model.layout, Plan.parse(plan)):
        weight = tensors[stored(f"{target.module}.weight", tensors)]
        bias = modules.parameter(target.module, "bias")
        if weight.shape != modules.shapes[modules.parameter(target.module) or ""]:
            raise ModelBroken(
                f"{folder.name} has {weight.name} in another shape than its parent",
                remedy="train it again",
                field="model",
                value=weight.name,
            )
        # LoRA and DoRA leave the biases as they are
        own = (
            tensors[stored(f"{target.module}.bias", tensors)]
            if bias and plan.get("method") == "full"
            else None
        )
        found[target.module] = End(weight, own)
    return found


def _parameters(pairs: Mapping[str, Pair], ends: Mapping[str, End]) -> Iterator[str]:
    for module in dict.fromkeys([*pairs, *ends]):
        pair, end = pairs.get(module), ends.get(module)
        if end is not None or (pair is not None and pair.a is not None):
            yield f"{module}.weight"
        if (end is not None and end.bias is not None) or (
            pair is not None and (pair.bias is not None or pair.added is not None)
        ):
            yield f"{module}.bias"


def _limit(value: Any, otherwise: float) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and LOW <= value <= HIGH
    return float(value) if good else otherwise
