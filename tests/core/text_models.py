"""Loaded small random models with tokenizers made on the spot, for tests of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from small_models import small_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from imfine.core.equalizer import Equalizer
from imfine.core.models.catalog import Card
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.load import LoadedModel

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<pad>", "<|im_start|>", "<|im_end|>"]  # 0, 1, 2
VOCAB = 320

torch.set_num_threads(1)  # small products are slower on two


def byte_tokenizer(chat: bool = False) -> PreTrainedTokenizerFast:
    """One token a byte, as byte-level BPE falls back to: Hangul takes three, an emoji four."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _fast(tokenizer, TEMPLATE if chat else None)


def sentencepiece_tokenizer() -> PreTrainedTokenizerFast:
    """Words begin with ▁: a space, but at the very start. Unknown characters fall back to bytes."""
    words = ["▁he", "llo", "▁world", "▁안녕", "!", "▁", "h", "e", "l", "o"]
    tokens = [*SPECIAL, *(f"<0x{b:02X}>" for b in range(256)), *words]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={t: i for i, t in enumerate(tokens)}, merges=[], byte_fallback=True, unk_token="<pad>"
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _fast(tokenizer, None)


def _fast(tokenizer: Tokenizer, template: str | None) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<|im_end|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.chat_template = template
    return fast


CARD = Card(
    id="small",
    name="small",
    family="llama",
    architecture="LlamaForCausalLM",
    source="local",
    path=None,
    ready=True,
    parameters=None,
    size_on_disk=None,
    expanded_size=None,
    download_size=None,
    memory_needed=None,
    dtype="float32",
    fits=True,
    reason=None,
    licence=None,
    languages=["en"],
    layers=None,
    context_length=None,
    gated=False,
    starter=False,
    revision=None,
)


def loaded(architecture: str = "LlamaForCausalLM", *, chat: bool = False, **changes: Any) -> LoadedModel:
    module, layout = small_model(architecture, vocab_size=VOCAB, **changes)
    live = fingerprint(module)
    return LoadedModel(
        id=f"small-{layout.row.model_type}",
        revision="none",
        dtype="float32",
        device="cpu",
        module=module,  # type: ignore[arg-type]
        tokenizer=byte_tokenizer(chat),
        layout=layout,
        equalizer=Equalizer(module, layout),
        checksum=live,
        fingerprint=live,
        card=CARD,
        path=Path(),
    )
