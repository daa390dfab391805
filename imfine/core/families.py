"""ONE table: architecture → where its layers, points and norms are. Plain Python.

Knows names and sizes only: no tensor, no recipe, no torch. A new architecture is a new row at the end of this
file, never an `if` elsewhere: recipes, manifests, the live equalizer and the bake all read the row.

A layer is made of matrices. Each holds one point (`self_attn.q_proj` is q) or several (GPT-2's `attn.c_attn`
is q|k|v), and may be cut into heads on its output side (q, k, v) or its input side (o). `Layout.segments`
says in which order points and heads lie along that side; a gain is always a gain of whole segments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from imfine.errors import ModelBroken, UnsupportedArchitecture

POINTS = ("q", "k", "v", "o", "gate", "up", "down", "norm")
KNOBS = ("eps", "attn", "mlp")
EPS_LIMIT = 0.1  # the largest eps a knob may make
MAX_LAYERS = 1024  # a config that claims more is malformed


@dataclass(frozen=True)
class Weight:
    """One matrix of a layer: the points stored in it, in their order along its output features."""

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
class Family:
    """A row of the table."""

    architecture: str
    model_type: str
    family: Literal["llama", "gpt"]  # the word on a model's card
    stack: str  # the list of layers, e.g. model.layers
    weights: tuple[Weight, ...]
    norms: tuple[str, ...]  # what EPS and the point `norm` act on, in every layer
    eps_attr: str  # the norm module's attribute
    keys: Mapping[str, str]  # our word → the key in config.json
    defaults: Mapping[str, Any]  # by our word: what transformers takes where config.json is silent
    point_norms: Mapping[str, str] = field(default_factory=dict)  # q, k that are gains on a norm of their own
    norm_offset: float = 0.0  # the norm applies (offset + stored weight)
    transposed: bool = False  # Conv1D: the weight is (in, out), not (out, in)
    classic: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"attn": ("q", "k", "v"), "mlp": ("up",)}
    )  # the points whose matrices a knob multiplies

    @cached_property
    def points(self) -> tuple[str, ...]:
        stored = {point for weight in self.weights for point in weight.points} | {"norm"}
        return tuple(point for point in POINTS if point in stored)


@dataclass(frozen=True, eq=False)
class Layout:
    """One concrete model, from its config alone."""

    row: Family
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden_size: int
    intermediate_size: int
    eps: float
    context_length: int
    vocab_size: int
    tied_embeddings: bool
    norm_eps: Mapping[str, float] = field(
        default_factory=dict
    )  # norms with an eps of their own (imfine.json)

    @property
    def family(self) -> str:
        return self.row.family

    @property
    def architecture(self) -> str:
        return self.row.architecture

    @property
    def kind(self) -> Literal["text", "image"]:
        """What the model answers with. Every row of the table is a text model's so far."""
        return "text"

    @property
    def knobs(self) -> tuple[str, ...]:
        return KNOBS

    @property
    def band_names(self) -> tuple[str, ...]:
        """In the order of a recipe's bands."""
        return tuple(map(str, range(self.layers)))

    @property
    def points(self) -> tuple[str, ...]:
        return self.row.points

    @property
    def qk_norm(self) -> bool:
        """q and k are normalised: a gain on their projections is not felt, one on their norms is."""
        return bool(self.row.point_norms)

    @property
    def eps_knob_max(self) -> float:
        """The knob that makes the largest eps 1e-1; 5 at eps 1e-5."""
        return max(1.0, 1.0 + math.log10(EPS_LIMIT / max(self.eps, *self.norm_eps.values(), 0.0)))

    def heads_of(self, point: str) -> int:
        """How many heads of this point have a gain of their own; k and v have kv heads. 0: none."""
        return self._heads_of.get(point, 0)

    @cached_property
    def _heads_of(self) -> dict[str, int]:
        cut = [point for weight in self.row.weights if weight.heads for point in weight.points]
        return {
            point: self.kv_heads if point in ("k", "v") else self.heads
            for point in cut
            if point not in self.row.point_norms  # whose weight is shared by all heads
        }

    @cached_property
    def segments(self) -> dict[Weight, tuple[Segment, ...]]:
        """Every matrix's segments along its cut side (the output side where it has none)."""
        return {weight: tuple(self._cut(weight)) for weight in self.row.weights}

    def _cut(self, weight: Weight) -> Iterator[Segment]:
        if weight.heads is None:
            size = {"gate": self.intermediate_size, "up": self.intermediate_size, "down": self.hidden_size}
            yield from (Segment(point, None, size[point]) for point in weight.points)
            return
        count = {"q": self.heads, "o": self.heads, "k": self.kv_heads, "v": self.kv_heads}
        if weight.interleaved:
            pairs = [(point, head) for head in range(self.heads) for point in weight.points]
        else:
            pairs = [(point, head) for point in weight.points for head in range(count[point])]
        yield from (Segment(point, head, self.head_dim) for point, head in pairs)

    def module(self, layer: int, name: str) -> str:
        return f"{self.row.stack}.{layer}.{name}"

    def eps_of(self, norm: str) -> float:
        return self.norm_eps.get(norm, self.eps)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "knobs": list(self.knobs),
            "band_names": list(self.band_names),
            "family": self.family,
            "architecture": self.architecture,
            "layers": self.layers,
            "heads": self.heads,
            "kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "vocab_size": self.vocab_size,
            "context_length": self.context_length,
            "tied_embeddings": self.tied_embeddings,
            "eps": self.eps,
            "eps_knob_max": self.eps_knob_max,
            "points": list(self.points),
            "heads_of": {point: self.heads_of(point) for point in self.points if self.heads_of(point)},
            "qk_norm": self.qk_norm,
            "classic": {knob: list(points) for knob, points in self.row.classic.items()},
        }


def tensor_name(module: str, names: Mapping[str, Any]) -> str | None:
    """The stored weight of a module. Checkpoints of the bare model (GPT-2's) leave out the first word."""
    full = f"{module}.weight"
    return next((name for name in (full, full.partition(".")[2]) if name in names), None)


def family_for(config: Mapping[str, Any]) -> Family:
    """The row for a config.json.

    Raises:
        UnsupportedArchitecture: the table has no row for it.
    """
    named = config.get("architectures")
    architecture = named[0] if isinstance(named, list) and named else None
    for row in FAMILIES:
        if architecture == row.architecture or (
            architecture is None and config.get("model_type") == row.model_type
        ):
            return row
    asked = str(architecture or config.get("model_type") or "a config without an architecture")[:100]
    supported = [row.architecture for row in FAMILIES]
    raise UnsupportedArchitecture(
        f"{asked} is not supported",
        remedy=f"choose a model of one of {', '.join(supported)}",
        field="model",
        value=asked,
        architecture=asked,
        supported=supported,
    )


def layout(config: Mapping[str, Any], norm_eps: Mapping[str, float] | None = None) -> Layout:
    """Everything about one model from its config.json; `norm_eps`: what its imfine.json says, if it has one.

    Raises:
        UnsupportedArchitecture: the table has no row for it.
        ModelBroken: a size is missing or no positive whole number, an eps no positive number.
    """
    row = family_for(config)

    def found(word: str) -> Any:
        value = config.get(row.keys.get(word, word))
        return row.defaults.get(word) if value is None else value

    def count(word: str, otherwise: int | None = None, most: int = 2**31) -> int:
        value = found(word)
        if value is None:
            value = otherwise
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
            raise _broken(row.keys.get(word, word), value, f"a whole number from 1 to {most}")
        return value

    layers = count("num_hidden_layers", most=MAX_LAYERS)
    heads, hidden_size = count("num_attention_heads"), count("hidden_size")
    kv_heads = count("num_key_value_heads", otherwise=heads)
    if heads % kv_heads:
        raise _broken("num_key_value_heads", kv_heads, f"a divisor of the {heads} heads")
    eps = _positive(row.keys["eps"], found("eps"))
    norms = {f"{row.stack}.{layer}.{norm}" for layer in range(layers) for norm in row.norms}
    for norm, value in (norm_eps or {}).items():
        _positive(norm, value, file="imfine.json")
        if norm not in norms:
            raise _broken(norm, value, "the eps of a norm of this model", file="imfine.json")
    return Layout(
        row=row,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=count("head_dim", otherwise=hidden_size // heads),
        hidden_size=hidden_size,
        intermediate_size=count("intermediate_size", otherwise=4 * hidden_size),
        eps=eps,
        context_length=count("max_position_embeddings"),
        vocab_size=count("vocab_size"),
        tied_embeddings=bool(found("tie_word_embeddings")),
        norm_eps=dict(norm_eps or {}),
    )


def _positive(key: str, value: Any, file: str = "config.json") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _broken(key, value, "a number above 0", file)
    return float(value)


def _broken(key: str, value: Any, wanted: str, file: str = "config.json") -> ModelBroken:
    return ModelBroken(
        f"{file} has {key} = {value!r:.60}; it must be {wanted}",
        remedy=f"fetch the model again, or mend its {file}",
        field="model",
        value=value,
        key=key,
    )


LLAMA = Family(
    architecture="LlamaForCausalLM",  # Llama 2 and 3, SmolLM2, TinyLlama, …
    model_type="llama",
    family="llama",
    stack="model.layers",
    weights=(
        Weight("self_attn.q_proj", ("q",), heads="out"),
        Weight("self_attn.k_proj", ("k",), heads="out"),
        Weight("self_attn.v_proj", ("v",), heads="out"),
        Weight("self_attn.o_proj", ("o",), heads="in"),
        Weight("mlp.gate_proj", ("gate",)),
        Weight("mlp.up_proj", ("up",)),
        Weight("mlp.down_proj", ("down",)),
    ),
    norms=("input_layernorm", "post_attention_layernorm"),
    eps_attr="variance_epsilon",
    keys={"eps": "rms_norm_eps"},
    defaults={
        "eps": 1e-6,
        "vocab_size": 32000,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
    },
)

GPT2 = Family(
    architecture="GPT2LMHeadModel",
    model_type="gpt2",
    family="gpt",
    stack="transformer.h",
    weights=(
        Weight("attn.c_attn", ("q", "k", "v"), heads="out"),
        Weight("attn.c_proj", ("o",), heads="in"),
        Weight("mlp.c_fc", ("up",)),
        Weight("mlp.c_proj", ("down",)),
    ),
    norms=("ln_1", "ln_2"),
    eps_attr="eps",
    keys={
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "hidden_size": "n_embd",
        "intermediate_size": "n_inner",
        "max_position_embeddings": "n_positions",
        "eps": "layer_norm_epsilon",
    },
    defaults={
        "eps": 1e-5,
        "vocab_size": 50257,
        "max_position_embeddings": 1024,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_size": 768,
        "tie_word_embeddings": True,
    },
    transposed=True,
)

FAMILIES: tuple[Family, ...] = (
    LLAMA,
    GPT2,
    replace(
        LLAMA,
        architecture="MistralForCausalLM",
        model_type="mistral",
        defaults={**LLAMA.defaults, "num_key_value_heads": 8, "max_position_embeddings": 131072},
    ),
    replace(
        LLAMA,
        architecture="Qwen2ForCausalLM",
        model_type="qwen2",
        defaults={**LLAMA.defaults, "vocab_size": 151936, "max_position_embeddings": 32768},
    ),
    replace(
        LLAMA,
        architecture="Qwen3ForCausalLM",
        model_type="qwen3",
        defaults={**LLAMA.defaults, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 32768},
        point_norms={"q": "self_attn.q_norm", "k": "self_attn.k_norm"},
    ),
    replace(
        LLAMA,
        architecture="GemmaForCausalLM",
        model_type="gemma",
        eps_attr="eps",
        defaults={
            **LLAMA.defaults,
            "head_dim": 256,
            "vocab_size": 256000,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
        norm_offset=1.0,
    ),
    Family(
        architecture="GPTNeoXForCausalLM",
        model_type="gpt_neox",
        family="gpt",
        stack="gpt_neox.layers",
        weights=(
            Weight("attention.query_key_value", ("q", "k", "v"), heads="out", interleaved=True),
            Weight("attention.dense", ("o",), heads="in"),
            Weight("mlp.dense_h_to_4h", ("up",)),
            Weight("mlp.dense_4h_to_h", ("down",)),
        ),
        norms=("input_layernorm", "post_attention_layernorm"),
        eps_attr="eps",
        keys={"eps": "layer_norm_eps"},
        defaults={
            "eps": 1e-5,
            "vocab_size": 50432,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
        },
    ),
    replace(
        LLAMA,
        architecture="Phi3ForCausalLM",
        model_type="phi3",
        weights=(
            Weight("self_attn.qkv_proj", ("q", "k", "v"), heads="out"),
            Weight("self_attn.o_proj", ("o",), heads="in"),
            Weight("mlp.gate_up_proj", ("gate", "up")),
            Weight("mlp.down_proj", ("down",)),
        ),
        defaults={**LLAMA.defaults, "eps": 1e-5, "vocab_size": 32064, "max_position_embeddings": 4096},
    ),
)
