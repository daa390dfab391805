"""Rows of the table for text models, and how a config.json becomes a layout by them. Plain Python.

A new architecture is a new row at the end of this file, never an `if` elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from imfine.core.families.layout import (
    POINTS,
    Band,
    Layout,
    Segment,
    Weight,
    broken,
    checked_norm_eps,
    positive,
    whole_number,
)

MAX_LAYERS = 1024  # a config that claims more is malformed


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


@dataclass(frozen=True, eq=False, kw_only=True)
class TextLayout(Layout):
    """A text model: its bands are its layers."""

    row: Family
    heads: int
    kv_heads: int
    head_dim: int
    hidden_size: int
    intermediate_size: int
    context_length: int
    vocab_size: int
    tied_embeddings: bool

    kind = "text"
    unit = "layers"

    @property
    def qk_norm(self) -> bool:
        """q and k are normalised: a gain on their projections is not felt, one on their norms is."""
        return bool(self.row.point_norms)

    def heads_of(self, point: str) -> int:
        return self._heads_of.get(point, 0)

    @cached_property
    def _heads_of(self) -> dict[str, int]:
        cut = [point for weight in self.row.weights if weight.heads for point in weight.points]
        return {
            point: self.kv_heads if point in ("k", "v") else self.heads
            for point in cut
            if point not in self.row.point_norms  # whose weight is shared by all heads
        }

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "heads": self.heads,
            "kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "vocab_size": self.vocab_size,
            "context_length": self.context_length,
            "tied_embeddings": self.tied_embeddings,
            "heads_of": {point: self.heads_of(point) for point in self.points if self.heads_of(point)},
            "qk_norm": self.qk_norm,
        }


def text_layout(
    row: Family, config: Mapping[str, Any], norm_eps: Mapping[str, float] | None = None
) -> TextLayout:
    """From config.json. Raises: ModelBroken."""

    def found(word: str) -> Any:
        value = config.get(row.keys.get(word, word))
        return row.defaults.get(word) if value is None else value

    def count(word: str, otherwise: int | None = None, most: int = 2**31) -> int:
        value = found(word)
        return whole_number(row.keys.get(word, word), otherwise if value is None else value, most)

    layers = count("num_hidden_layers", most=MAX_LAYERS)
    heads, hidden_size = count("num_attention_heads"), count("hidden_size")
    kv_heads = count("num_key_value_heads", otherwise=heads)
    if heads % kv_heads:
        raise broken("num_key_value_heads", kv_heads, f"a divisor of the {heads} heads")
    head_dim = count("head_dim", otherwise=hidden_size // heads)
    intermediate_size = count("intermediate_size", otherwise=4 * hidden_size)
    counts = {"q": heads, "o": heads, "k": kv_heads, "v": kv_heads}
    sizes = {"gate": intermediate_size, "up": intermediate_size, "down": hidden_size}
    bands = tuple(_band(row, layer) for layer in range(layers))
    return TextLayout(
        row=row,
        bands=bands,
        segments={weight: tuple(_cut(weight, counts, head_dim, sizes)) for weight in row.weights},
        entrances=(f"{row.stack}.0",),
        points=row.points,
        classic=row.classic,
        eps=positive(row.keys["eps"], found("eps")),
        norm_eps=checked_norm_eps(norm_eps, {norm for band in bands for norm in band.norms}),
        eps_attr=row.eps_attr,
        norm_offset=row.norm_offset,
        transposed=row.transposed,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        context_length=count("max_position_embeddings"),
        vocab_size=count("vocab_size"),
        tied_embeddings=bool(found("tie_word_embeddings")),
    )


def _band(row: Family, layer: int) -> Band:
    stack = f"{row.stack}.{layer}"
    return Band(
        name=str(layer),
        matrices=tuple((f"{stack}.{weight.module}", weight) for weight in row.weights),
        norms=tuple(f"{stack}.{norm}" for norm in row.norms),
        point_norms={point: f"{stack}.{norm}" for point, norm in row.point_norms.items()},
    )


def _cut(
    weight: Weight, counts: Mapping[str, int], head_dim: int, sizes: Mapping[str, int]
) -> Iterator[Segment]:
    if weight.heads is None:
        yield from (Segment(point, None, sizes[point]) for point in weight.points)
        return
    if weight.interleaved:
        pairs = [(point, head) for head in range(counts["q"]) for point in weight.points]
    else:
        pairs = [(point, head) for point in weight.points for head in range(counts[point])]
    yield from (Segment(point, head, head_dim) for point, head in pairs)


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

TEXT: tuple[Family, ...] = (
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
