"""Small random models as folders on disk, as transformers writes them, with a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from small_models import small_model
from text_models import VOCAB, byte_tokenizer
from torch import nn


def save_model(
    folder: Path, architecture: str = "LlamaForCausalLM", dtype: torch.dtype = torch.float32, **changes: Any
) -> nn.Module:
    """Returns the module that was saved; `shards` MB as max_shard_size."""
    shard = changes.pop("shards", "5GB")
    module, _ = small_model(architecture, vocab_size=VOCAB, **changes)
    module = module.to(dtype)
    module.save_pretrained(folder, max_shard_size=shard)
    byte_tokenizer(chat=True).save_pretrained(folder)
    return module


def edit_config(folder: Path, name: str = "config.json", **changes: Any) -> None:
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def rewrite(folder: Path, change: Any) -> None:
    """model.safetensors with its {name: tensor} changed by `change`."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors), folder / "model.safetensors", metadata={"format": "pt"})
