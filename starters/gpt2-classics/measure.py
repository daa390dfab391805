"""What gpt2-classics is worth: perplexity on chapters it never saw, beside simpler models, and samples.

A perplexity a word or a byte, unlike one a token, can be compared with that of a model that has other tokens.
Knows nothing of how the model was trained.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from baselines import Floats, Ints, kneser_ney, unigram
from corpus import Split
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import GenerationConfig, GPT2LMHeadModel

PROMPTS = (
    "It was a cold morning",
    "She looked at him for a moment, and",
    "I want to be a superman.",
    "The captain stood upon the deck and",
    "My dear sister,",
)


class Stream(NamedTuple):
    """The tokens of one source: every document between two END tokens."""

    name: str
    share: float
    tokens: Ints


def evaluate(
    model: GPT2LMHeadModel, train: list[Stream], held_out: list[Stream], text: Split
) -> dict[str, object]:
    """Perplexities a word and a byte on the held-out documents, of the model and of the baselines."""
    learned = np.concatenate([source.tokens for source in train])
    unseen = np.concatenate([source.tokens for source in held_out])
    size = model.config.vocab_size
    scores = {
        "gpt2-classics": log_probabilities(model, unseen),
        "5-gram": kneser_ney(learned, unseen, size),
        "unigram": unigram(learned, unseen, size),
    }
    borders = np.cumsum([len(source.tokens) for source in held_out])[:-1]
    inside = unseen != 0  # the documents' ends are no part of the text
    words = [sum(len(document.split()) for document in source.documents) for source in text.held_out]
    sizes = [sum(len(document.encode()) for document in source.documents) for source in text.held_out]
    perplexity: dict[str, dict[str, dict[str, float]]] = {}
    for name, found in scores.items():
        nats = [-float(part.sum()) for part in np.split(found * inside, borders)]
        perplexity[name] = {"all": rates(sum(nats), sum(words), sum(sizes))}
        for source, *numbers in zip(held_out, nats, words, sizes, strict=True):
            perplexity[name][source.name] = rates(*numbers)
    held = {"words": sum(words), "bytes": sum(sizes), "tokens": int(inside.sum())}
    return {"training_tokens": len(learned), "held_out": held, "perplexity": perplexity}


def rates(nats: float, words: float, size: float) -> dict[str, float]:
    word, byte = math.exp(nats / words), math.exp(nats / size)
    return {
        "per_word": round(word, 2),
        "per_byte": round(byte, 4),
        "bits_per_byte": round(math.log2(byte), 4),
    }


@torch.no_grad()
def log_probabilities(model: GPT2LMHeadModel, tokens: Ints) -> Floats:
    """(T,) tokens -> (T,) natural logarithms, fp32; every token has at least half a context before it, as far
    as the stream goes back. The first one, END, counts nothing."""
    model.eval()
    context = model.config.n_positions
    half = context // 2
    scores = np.zeros(len(tokens))
    for start in range(0, len(tokens) - 1, half):
        window = torch.from_numpy(tokens[start : start + context])[None]
        logits = model(input_ids=window[:, :-1]).logits.float()  # (1, T - 1, V)
        found = -F.cross_entropy(logits[0], window[0, 1:], reduction="none").double().numpy()
        new = 0 if start == 0 else half - 1
        scores[start + 1 + new : start + 1 + len(found)] = found[new:]
        if start + context >= len(tokens):
            break
    return scores


def samples(
    model: GPT2LMHeadModel, tokenizer: Tokenizer, how: GenerationConfig, seed: int
) -> list[dict[str, str]]:
    """The first answer to each prompt, not chosen."""
    model.eval()
    torch.manual_seed(seed)
    found = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=how)  # type: ignore[misc]
        found.append({"prompt": prompt, "answer": tokenizer.decode(out[0, ids.shape[1] :].tolist())})
    return found
