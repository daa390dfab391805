"""What equalizer, recipe and manifest know of a model: its bands, and the matrices and norms in each.

Plain Python: names and sizes only, no tensor, no recipe. text.py and image.py make layouts out of configs.

A band (a layer of a text model, a block of an image model) is made of matrices. Each holds one point
(`self_attn.q_proj` is q) or several (GPT-2's `attn.c_attn` is q|k|v), and may be cut into heads on its output
side (q, k, v) or its input side (o). `segments` says in which order points and heads lie along that side; a
gain is always a gain of whole segments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from imfine.errors import ModelBroken

KNOBS = ("eps", "attn", "mlp")
SIGNED = ("tone", "style")  # of image models
SIDED = ("q1", "k1", "v1", "o1", "q2", "k2", "v2", "o2")  # 1: a picture's look at itself, 2: at the words
POINTS = ("q", "k", "v", "o", *SIDED, "gate", "up", "down", "norm")
EPS_LIMIT = 0.1  # the largest eps a knob may make


@dataclass(frozen=True)
class Weight:
    """One matrix of a band: the points stored in it, in their order along its output features."""

    module: str
    points: tuple[str, ...]
    heads: Literal["out", "in"] | None = None  # the side that is cut into heads
    interleaved: bool = False  # head by head (q, k, v) instead of all of q, all of k, all of v


@dataclass(frozen=True)
class Segment:
    """`size` neighbouring features of a matrix, all of one point and (where there are heads) of one head."""

    point: str
    head: int | None
    size: int


@dataclass(frozen=True)
class Band:
    """One band of the equalizer: a layer of a text model, a block of an image model."""

    name: str
    matrices: tuple[tuple[str, Weight], ...]  # (module, what is in it)
    norms: tuple[str, ...]  # what EPS and the point `norm` act on
    point_norms: Mapping[str, str] = field(default_factory=dict)  # q, k that are gains on a norm of their own


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """One concrete model, from its config alone."""

    row: Any  # of the table: architecture, model_type, family
    bands: tuple[Band, ...]
    segments: Mapping[Weight, tuple[Segment, ...]] = field(repr=False)  # along each matrix's cut side
    entrances: tuple[str, ...]  # modules whose first argument shows the rows of a forward
    knobs: tuple[str, ...] = KNOBS
    points: tuple[str, ...]
    classic: Mapping[str, tuple[str, ...]]  # the points whose matrices a knob multiplies
    eps: float  # of its norms; the largest, where they differ
    norm_eps: Mapping[str, float]  # norms with another one
    eps_attr: str = "eps"  # the norm module's attribute
    norm_offset: float = 0.0  # the norm applies (offset + stored weight)
    transposed: bool = False  # Conv1D: the weight is (in, out), not (out, in)

    kind: ClassVar[Literal["text", "image"]]
    unit: ClassVar[str]  # what a band is called

    @property
    def layers(self) -> int:
        return len(self.bands)

    @cached_property
    def band_names(self) -> tuple[str, ...]:
        """In the order of a recipe's bands."""
        return tuple(band.name for band in self.bands)

    @cached_property
    def trainable_bands(self) -> tuple[str, ...]:
        """Names of the bands with matrices to train: the others hold convolutions and norms only."""
        return tuple(band.name for band in self.bands if band.matrices)

    def names_of(self, point: str) -> tuple[str, ...]:
        """The recipe's points that all multiply this one: o1 is turned by o1 and by o."""
        return (point, point[0]) if point in SIDED else (point,)

    def heads_of(self, point: str) -> int:
        """How many heads of this point have a gain of their own; k and v have kv heads. 0: none."""
        return 0

    def eps_of(self, norm: str) -> float:
        return self.norm_eps.get(norm, self.eps)

    @property
    def eps_knob_max(self) -> float:
        """The knob that makes the largest eps 1e-1; 5 at eps 1e-5."""
        return max(1.0, 1.0 + math.log10(EPS_LIMIT / max(self.eps, *self.norm_eps.values(), 0.0)))

    @property
    def family(self) -> str:
        return str(self.row.family)

    @property
    def architecture(self) -> str:
        return str(self.row.architecture)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "knobs": list(self.knobs),
            "band_names": list(self.band_names),
            "trainable_bands": list(self.trainable_bands),
            "family": self.family,
            "architecture": self.architecture,
            "layers": self.layers,
            "eps": self.eps,
            "eps_knob_max": self.eps_knob_max,
            "points": list(self.points),
            "classic": {knob: list(points) for knob, points in self.classic.items()},
        }


def tensor_name(module: str, names: Mapping[str, Any], of: str = "weight") -> str | None:
    """The stored tensor of a module; None: there is none."""
    return name_in(names, f"{module}.{of}")


def name_in(names: Mapping[str, Any], full: str) -> str | None:
    """What a tensor or module of ours is called there. Checkpoints of the bare model (GPT-2's) leave out the
    first word, and a CLIP text encoder is stored with a word that its modules in memory do not have."""
    tried = (full, full.partition(".")[2], full.replace(".text_model.", "."))
    return next((name for name in tried if name in names), None)


def stored(parameter: str, names: Mapping[str, Any]) -> str:
    """As `name_in`, for what the architecture asks for. Raises: ModelBroken when the model has it not."""
    name = name_in(names, parameter)
    if name is None:
        raise ModelBroken(
            f"the model has no tensor {parameter}, which its architecture asks for",
            remedy="fetch the model again, from its source",
            field="model",
            value=parameter,
        )
    return name


def whole_number(key: str, value: Any, most: int = 2**31) -> int:
    """Raises: ModelBroken."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise broken(key, value, f"a whole number from 1 to {most}")
    return value


def positive(key: str, value: Any, file: str = "config.json") -> float:
    """Raises: ModelBroken."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise broken(key, value, "a number above 0", file)
    return float(value)


def checked_norm_eps(given: Mapping[str, Any] | None, norms: set[str]) -> dict[str, float]:
    """What an imfine.json says of a model with these norms. Raises: ModelBroken."""
    for norm, value in (given or {}).items():
        positive(norm, value, file="imfine.json")
        if norm not in norms:
            raise broken(norm, value, "the eps of a norm of this model", file="imfine.json")
    return dict(given or {})


def broken(key: str, value: Any, wanted: str, file: str = "config.json") -> ModelBroken:
    return ModelBroken(
        f"{file} has {key} = {value!r:.60}; it must be {wanted}",
        remedy=f"fetch the model again, or mend its {file}",
        field="model",
        value=value,
        key=key,
    )
