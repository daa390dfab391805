"""Models worth fetching, so that their cards can be shown before any network:
a table, checked on huggingface.co.

Sizes are of the files we would fetch. Languages are those a model's makers name, which its Hub card may not
repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Known:
    id: str
    name: str
    licence: str
    languages: tuple[str, ...]
    parameters: int
    download_size: int
    config: dict[str, Any]
    gated: bool = False


KNOWN = (
    Known(
        id="Qwen/Qwen2.5-0.5B-Instruct",
        name="Qwen2.5-0.5B-Instruct",
        licence="apache-2.0",
        languages=("en", "zh", "ko", "ja", "fr", "es", "pt", "de", "it", "ru", "vi", "th", "ar"),
        parameters=494_032_768,
        download_size=999_600_000,
        config={
            "architectures": ["Qwen2ForCausalLM"],
            "num_hidden_layers": 24,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-6,
            "vocab_size": 151936,
            "max_position_embeddings": 32768,
            "tie_word_embeddings": True,
        },
    ),
    Known(
        id="openai-community/gpt2",
        name="GPT-2",
        licence="mit",
        languages=("en",),
        parameters=124_439_808,
        download_size=551_000_000,
        config={
            "architectures": ["GPT2LMHeadModel"],
            "n_layer": 12,
            "n_embd": 768,
            "n_head": 12,
            "n_positions": 1024,
            "layer_norm_epsilon": 1e-5,
            "vocab_size": 50257,
        },
    ),
    Known(
        id="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        name="TinyLlama-1.1B-Chat",
        licence="apache-2.0",
        languages=("en",),
        parameters=1_100_048_384,
        download_size=2_202_500_000,
        config={
            "architectures": ["LlamaForCausalLM"],
            "num_hidden_layers": 22,
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "rms_norm_eps": 1e-5,
            "vocab_size": 32000,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
        },
    ),
    Known(
        id="meta-llama/Llama-2-7b-hf",
        name="Llama 2 7B",
        licence="llama2",
        languages=("en",),
        parameters=6_738_415_616,
        download_size=13_479_000_000,
        config={
            "architectures": ["LlamaForCausalLM"],
            "num_hidden_layers": 32,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "rms_norm_eps": 1e-5,
            "vocab_size": 32000,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": False,
        },
        gated=True,
    ),
)
ALIASES = {"gpt2": "openai-community/gpt2"}  # the Hub's name from before there were owners
