"""From a row's logits to its next token, with transformers' own logits processors. Knows one row at a time.

A row sees its own unpadded ids and has its own generator, so what it draws never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor
from transformers.generation.logits_process import (
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from imfine.core.sampling import Sampling


class Chooser:
    """Chooses a row's tokens one after another. `plain` rows take the likeliest token and need no more."""

    def __init__(self, sampling: Sampling, prompt_length: int, eos_ids: Sequence[int]) -> None:
        self.greedy = sampling.greedy
        self.processors = _processors(sampling, prompt_length, eos_ids)
        self.plain = self.greedy and not self.processors
        self.generator = torch.Generator()  # on the CPU on every device: the same seed, the same tokens
        self.generator.manual_seed(sampling.seed or 0)

    def __call__(self, ids: Sequence[int], logits: torch.Tensor) -> int:
        """The next token after `ids`, from logits (V,)."""
        scores = logits.float().cpu()[None]  # (1, V)
        before = torch.tensor([ids])  # (1, n)
        for process in self.processors:
            scores = process(before, scores)
        if self.greedy:
            return int(scores.argmax(-1))
        probabilities = torch.softmax(scores, dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self.generator))


def _processors(sampling: Sampling, prompt_length: int, eos_ids: Sequence[int]) -> list[LogitsProcessor]:
    """In the order of transformers' generate()."""
    made: list[LogitsProcessor] = []
    if sampling.repetition_penalty != 1:
        made.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram_size:
        made.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size))
    if sampling.min_new_tokens and eos_ids:
        made.append(
            MinNewTokensLengthLogitsProcessor(prompt_length, sampling.min_new_tokens, torch.tensor(eos_ids))
        )
    if sampling.greedy:
        return made
    if sampling.temperature != 1:
        made.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        made.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        made.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        made.append(MinPLogitsWarper(sampling.min_p))
    return made
