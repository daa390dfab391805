"""Small GGUF files as llama.cpp would make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.constants import GGMLQuantizationType
from tokenizers import pre_tokenizers

from imfine.core.models.convert import empty_model, names_of

KINDS = {"F32": GGMLQuantizationType.F32, "F16": GGMLQuantizationType.F16, "Q8_0": GGMLQuantizationType.Q8_0}


def write(file: Path, architecture: str = "llama", kind: str = "Q8_0", **changes: Any) -> Path:
    """A small random model of llama.cpp's making, with a byte vocabulary."""
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("Tiny")
    # transformers reads neither from a GPT-2 GGUF, and takes GPT-2's own
    context, inner = (1024, 256) if architecture == "gpt2" else (128, 96)
    writer.add_context_length(context)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    if architecture != "gpt2":
        writer.add_head_count_kv(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        writer.add_key_length(16)
    else:
        writer.add_layer_norm_eps(1e-5)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", *letters, "he"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(letters) + 1))
    writer.add_token_merges([changes.pop("merge", "h e")])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for key, value in changes.items():
        writer.add_string(key.replace("__", "."), value)
    config: dict[str, Any] = {
        "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"},
        "gpt2": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"},
    }[architecture]
    if architecture == "gpt2":
        config |= {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": inner, "n_positions": context}
    else:
        config |= {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16}
        config |= {"num_key_value_heads": 2, "intermediate_size": inner, "tie_word_embeddings": False}
    model = empty_model({**config, "vocab_size": len(tokens)}, torch.float32)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    dice = np.random.default_rng(1)
    for theirs, ours in names_of(shapes, architecture, 2).items():
        if theirs == "output.weight" and architecture == "gpt2":
            continue
        turned = architecture == "gpt2" and len(shapes[ours]) == 2 and ".h." in ours
        values = dice.standard_normal(shapes[ours][::-1] if turned else shapes[ours]).astype(np.float32)
        if values.ndim == 1:
            writer.add_tensor(theirs, values)
        elif kind == "Q8_0":
            quantised = gguf.quants.quantize(values, KINDS[kind])
            writer.add_tensor(theirs, quantised, raw_dtype=KINDS[kind])
        else:
            writer.add_tensor(theirs, values.astype(np.float16 if kind == "F16" else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
