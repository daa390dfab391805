import math

import pytest
import torch
from text_models import loaded

from imfine.core.events import Measures, Result
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.answers import Answer
from imfine.core.text.forward import mean_log_probability
from imfine.core.text.generate import Lane, TextRequest, generate
from imfine.core.text.measures import REFERENCES, distinct, first_change, measure, reference_loss

TUNED = Recipe(attn=1.4, mlp=0.6)


def by_hand(model, recipe, ids, first):
    with torch.no_grad(), model.equalizer.applied(model.equalizer.plan([recipe])):
        logits = model.module(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logits[i - 1, ids[i]]) for i in range(first, len(ids))) / (len(ids) - first)


@pytest.mark.parametrize("chunk", [4, 1024])
@pytest.mark.parametrize("first", [1, 5, 6, 7, 20])
def test_a_mean_log_probability_is_that_of_one_long_forward(monkeypatch, chunk, first):
    monkeypatch.setattr("imfine.core.text.forward.CHUNK", chunk)
    model = loaded()
    ids = model.tokenizer("a sentence of some length").input_ids[:21]
    mean = mean_log_probability(model, TUNED, ids, first=first)
    assert mean == pytest.approx(by_hand(model, TUNED, ids, first), rel=1e-5)


def test_nothing_to_judge_is_none():
    assert mean_log_probability(loaded(), TUNED, [5, 6], first=2) is None
    assert mean_log_probability(loaded(), TUNED, [5], first=0) is None


def test_measures_of_a_run():
    model = loaded()
    sampling = Sampling.parse({"greedy": True, "raw": True, "max_new_tokens": 20})
    events = list(generate(model, TextRequest((Lane("base"), Lane("tuned", TUNED)), "Hello", sampling)))
    base, tuned = (event for event in events if isinstance(event, Measures))
    result = events[-1]
    assert isinstance(result, Result)
    prompt = model.tokenizer("Hello").input_ids
    for measures, lane in zip((base, tuned), result.lanes, strict=True):
        ids = [*prompt, *lane.token_ids]
        assert measures.expected_by_original == pytest.approx(
            by_hand(model, Recipe(), ids, len(prompt)), rel=1e-5
        )
        assert measures.perplexity_original == pytest.approx(math.exp(-measures.expected_by_original))
        assert {k: lane.metrics[k] for k in ("expected_by_original", "reference_loss", "first_change")} == {
            "expected_by_original": measures.expected_by_original,
            "reference_loss": measures.reference_loss,
            "first_change": measures.first_change,
        }
    assert base.first_change is None
    assert tuned.first_change == first_change(result.lanes[0].token_ids, result.lanes[1].token_ids)
    assert base.reference_loss != tuned.reference_loss
    reference = model.tokenizer(REFERENCES["en"]).input_ids[: model.layout.context_length]
    assert tuned.reference_loss == pytest.approx(-by_hand(model, TUNED, reference, 1), rel=1e-5)


def test_without_the_original_there_is_no_first_change():
    sampling = Sampling.parse({"raw": True, "max_new_tokens": 5})
    events = list(generate(loaded(), TextRequest((Lane("tuned", TUNED),), "Hello", sampling)))
    (measures,) = (event for event in events if isinstance(event, Measures))
    assert measures.first_change is None
    assert measures.expected_by_original is not None
    assert events[-1].checksum["live"] is None


def test_the_reference_is_korean_beside_a_korean_answer(monkeypatch):
    model = loaded()
    english = reference_loss(model, TUNED, "an answer")
    assert reference_loss(model, TUNED, "대답") != english
    monkeypatch.setattr("imfine.core.text.measures.mean_log_probability", None)
    assert reference_loss(model, TUNED, "another") == english  # kept by recipe


def test_an_answer_that_says_the_same_is_not_scored_twice():
    model = loaded()
    base = Answer(Recipe(), (5, 6), [7, 8], ["a", "b"], expected_by_original=-1.25)
    same = Answer(TUNED, (5, 6), [7, 8], ["a", "b"])
    assert measure(model, 1, same, base).expected_by_original == -1.25


@pytest.mark.parametrize(
    ("text", "one", "two"),
    [("", None, None), ("a", 1.0, None), ("a a a a", 0.25, 1 / 3), ("가 나 가 나 다", 0.6, 0.75)],
)
def test_distinct(text, one, two):
    assert distinct(text.split(), 1) == one
    assert distinct(text.split(), 2) == pytest.approx(two) if two else distinct(text.split(), 2) is None


@pytest.mark.parametrize(
    ("base", "other", "at"),
    [
        ([1, 2], [1, 2], None),
        ([1, 2], [1, 3], 1),
        ([1, 2], [1], 1),
        ([1], [1, 2], 1),
        ([], [], None),
        ([], [4], 0),
    ],
)
def test_first_change(base, other, at):
    assert first_change(base, other) == at
