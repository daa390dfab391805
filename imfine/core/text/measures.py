"""What can be told of an answer beside the original's. None of it is quality, and none is called so.

Knows one model, answers and their recipes; the forwards are teacher-forced and short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imfine.core.events import Measures
from imfine.core.models.languages import HANGUL
from imfine.core.recipe import Recipe
from imfine.core.text.answers import Answer
from imfine.core.text.forward import mean_log_probability

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel

# Texts that no lane wrote, in the public domain: Jane Austen, Persuasion (1817); 윤동주, 서시 (1941).
REFERENCES = {
    "en": (
        "Sir Walter Elliot, of Kellynch Hall, in Somersetshire, was a man who, for his own amusement,"
        " never took up any book but the Baronetage; there he found occupation for an idle hour, and"
        " consolation in a distressed one; there his faculties were roused into admiration and"
        " respect, by contemplating the limited remnant of the earliest patents."
    ),
    "ko": (
        "죽는 날까지 하늘을 우러러 한 점 부끄럼이 없기를, 잎새에 이는 바람에도 나는 괴로워했다."
        " 별을 노래하는 마음으로 모든 죽어 가는 것을 사랑해야지. 그리고 나한테 주어진 길을"
        " 걸어가야겠다. 오늘 밤에도 별이 바람에 스치운다."
    ),
}


def measure(model: LoadedModel, lane: int, answer: Answer, base: Answer | None) -> Measures:
    """`base` is the original's answer to the same prompt; without one, first_change is None too."""
    if base is not None and answer.ids == base.ids and base.expected_by_original is not None:
        answer.expected_by_original = base.expected_by_original
    if answer.expected_by_original is None:
        ids = [*answer.prompt_ids, *answer.ids]
        answer.expected_by_original = mean_log_probability(model, Recipe(), ids, first=len(answer.prompt_ids))
    expected = answer.expected_by_original
    words = answer.text.split()
    distinct_2 = distinct(words, 2)
    return Measures(
        lane=lane,
        expected_by_original=expected,
        perplexity_original=None if expected is None else math.exp(min(-expected, 700.0)),
        reference_loss=reference_loss(model, answer.recipe, answer.text),
        distinct_1=distinct(words, 1),
        distinct_2=distinct_2,
        repetition=None if distinct_2 is None else 1 - distinct_2,
        first_change=None if base is None else first_change(base.ids, answer.ids),
    )


def reference_loss(model: LoadedModel, recipe: Recipe, answer: str) -> float | None:
    """Nats a token of the recipe's model on a reference text: Korean beside a Korean answer, else English."""
    language = "ko" if HANGUL.search(answer) else "en"
    key = (model.checksum, recipe.hash, language)
    loss = model.kept.losses.find(key)
    if loss is None:
        ids = model.tokenizer(REFERENCES[language]).input_ids[: model.layout.context_length]
        mean = mean_log_probability(model, recipe, ids, first=1)
        if mean is None or not math.isfinite(mean):
            return None
        loss = -mean
        model.kept.losses.keep(key, loss)
    return loss


def distinct(words: Sequence[str], n: int) -> float | None:
    """Share of different n-grams (Li et al. 2016, distinct-n); None where there is none."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def first_change(base: Sequence[int], other: Sequence[int]) -> int | None:
    """Index of the first token that differs, an end counted as one; None: no token changed."""
    if list(base) == list(other):
        return None
    pairs = zip(base, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(base), len(other)))
