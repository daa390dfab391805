"""Requests that join and leave one batch at different times: what each says is what it says alone."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from text_models import loaded

from imfine.core.events import Event, LaneEnd, Result, Tokens
from imfine.core.models.load import LoadedModel
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.generate import Decoder, Lane, TextRequest, generate
from imfine.errors import BrokenNumbers, ImfineError, Invalid

TUNED = Recipe(attn=1.3, mlp=0.7)
LOUD = Recipe(mlp=1.4, points={"1.o.h2": 0.0})
CHOICES = [{"greedy": True}, {"temperature": 1.0, "top_p": 1.0}]


def request(prompt: str, *recipes: Recipe, **sampling) -> TextRequest:
    settings = Sampling.parse({"max_new_tokens": 24, "raw": True, "seed": 7, **sampling})
    return TextRequest(tuple(Lane(str(i), recipe) for i, recipe in enumerate(recipes)), prompt, settings)


def alone(model: LoadedModel, asked: TextRequest) -> list[list[int]]:
    fresh = loaded(model.layout.architecture)
    (result,) = [event for event in generate(fresh, asked) if isinstance(event, Result)]
    return [lane.token_ids for lane in result.lanes]


def drain(
    decoder: Decoder, joins: dict[int, tuple[str, TextRequest]]
) -> dict[str, list[Event | ImfineError]]:
    """Steps until nothing is left; at step n, joins[n] joins."""
    told: dict[str, list[Event | ImfineError]] = defaultdict(list)
    step = 0
    while decoder.busy or any(at >= step for at in joins):
        if step in joins:
            decoder.join(*joins[step])
        for who, event in decoder.step():
            told[who].append(event)
        step += 1
    return told


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "GPT2LMHeadModel", "GPTNeoXForCausalLM"])
@pytest.mark.parametrize("choice", CHOICES)
def test_neighbours_do_not_change_an_answer(architecture, choice):
    model = loaded(architecture)
    joins = {
        0: ("a", request("first come", Recipe(), TUNED, **choice)),
        3: ("b", request("a prompt that is rather longer than all that is there", TUNED, LOUD, **choice)),
        4: ("c", request("x", LOUD, Recipe(), TUNED, max_new_tokens=5, **choice)),
        19: ("d", request("late", TUNED, max_new_tokens=60, **choice)),
        33: ("e", request("later, and longer than what is left of the others", LOUD, **choice)),
    }
    told = drain(Decoder(model), joins)
    for who, asked in joins.values():
        assert isinstance(told[who][-1], Result)
        assert [lane.token_ids for lane in told[who][-1].lanes] == alone(model, asked)


def test_a_row_that_leaves_takes_nothing_with_it():
    model = loaded()
    decoder = Decoder(model)
    stay, go = request("those who stay", TUNED, LOUD, greedy=True), request("and go", Recipe(), TUNED, LOUD)
    decoder.join("go", go)
    told = []
    for step in range(40):
        if step == 2:
            decoder.join("stay", stay)
        if step == 8:
            ends = [event for event in decoder.leave("go") if isinstance(event, LaneEnd)]
            assert [end.finish_reason for end in ends] == ["cancelled"] * 3
            assert decoder.rows == 2
        told += decoder.step()
    assert {who for who, event in told if isinstance(event, Result)} == {"stay"}
    result = next(event for _, event in told if isinstance(event, Result))
    assert [lane.token_ids for lane in result.lanes] == alone(model, stay)
    assert not decoder.busy


def test_leaving_is_the_same_whenever_and_however_often():
    decoder = Decoder(loaded())
    decoder.join("a", request("Hello", Recipe(), TUNED))
    assert len(decoder.leave("a")) == 2  # before its prefill
    assert decoder.leave("a") == []
    assert decoder.leave("nobody") == []
    assert decoder.step() == []
    assert not decoder.busy
    decoder.join("a", request("Hello", Recipe(), TUNED))
    told = [event for _ in range(60) for _, event in decoder.step()]
    assert isinstance(told[-1], Result)
    assert decoder.leave("a") == []


def test_the_first_token_comes_with_the_first_step_though_others_decode():
    decoder = Decoder(loaded())
    decoder.join("a", request("Hello", Recipe()))
    for _ in range(4):
        decoder.step()
    decoder.join("b", request("Hi", TUNED, LOUD))
    told = decoder.step()
    assert [(who, type(event)) for who, event in told] == [("b", Tokens), ("b", Tokens)]


def test_rows_are_counted():
    decoder = Decoder(loaded(), max_rows=6)
    assert (decoder.rows, decoder.free_rows) == (0, 6)
    decoder.join("a", request("Hello", Recipe(), TUNED))
    decoder.join("b", request("Hello", LOUD, LOUD, TUNED))  # the same twice is one row
    assert (decoder.rows, decoder.free_rows) == (4, 2)
    decoder.step()
    decoder.step()
    assert (decoder.rows, decoder.free_rows) == (4, 2)
    decoder.leave("a")
    assert (decoder.rows, decoder.free_rows) == (2, 4)
    while decoder.busy:
        decoder.step()
    assert (decoder.rows, decoder.free_rows) == (0, 6)


def test_a_request_that_cannot_join_leaves_the_others_alone():
    model = loaded()
    decoder = Decoder(model)
    asked = request("Hello", TUNED)
    decoder.join("a", asked)
    decoder.step()
    with pytest.raises(Invalid):
        decoder.join("b", request("", TUNED))
    (result,) = [event for _ in range(60) for _, event in decoder.step() if isinstance(event, Result)]
    assert [lane.token_ids for lane in result.lanes] == alone(model, asked)


def test_a_broken_row_is_told_once_and_its_memory_is_clean_for_the_next():
    model = loaded()
    decoder = Decoder(model)
    with torch.no_grad():
        model.module.model.embed_tokens.weight[ord("~") - ord("!") + 3] = float("nan")
    decoder.join("a", request("Hello", TUNED, LOUD, greedy=True))
    decoder.step()
    decoder.join("bad", request("~~~~~~~~~~~~~~~~", TUNED, Recipe()))
    decoder.join("after", request("Hi", TUNED, greedy=True))
    told = [pair for _ in range(80) for pair in decoder.step()]
    assert [(who, event.code) for who, event in told if isinstance(event, ImfineError)] == [
        ("bad", "broken_numbers")
    ]
    results = {who: event for who, event in told if isinstance(event, Result)}
    assert set(results) == {"a", "after"}
    assert [lane.token_ids for lane in results["a"].lanes] == alone(
        model, request("Hello", TUNED, LOUD, greedy=True)
    )
    assert [lane.token_ids for lane in results["after"].lanes] == alone(
        model, request("Hi", TUNED, greedy=True)
    )


class Urgent:
    """Breaks off the nth time it is asked, as a slider's move would that comes in the middle of a forward."""

    def __init__(self, *at: int, request_id: str | None = None) -> None:
        self.left, self.request_id, self.broke = list(at), request_id, 0

    def __call__(self, request_id: str | None) -> bool:
        if request_id != self.request_id or not self.left:
            return False
        self.left[0] -= 1
        if self.left[0]:
            return False
        self.left.pop(0)
        self.broke += 1
        return True


@pytest.mark.parametrize("choice", CHOICES)
def test_a_step_that_is_broken_off_is_begun_again_and_changes_nothing(choice):
    model = loaded()
    asked = {name: request(f"prompt {name}", Recipe(), TUNED, **choice) for name in "ab"}
    decoder = Decoder(model)
    urgent = Urgent(2, 1, 3, 2, 5)  # in different layers of different steps, and in the measuring
    told: dict[str, list[Event | ImfineError]] = defaultdict(list)
    decoder.join("a", asked["a"])
    decoder.step()
    decoder.join("b", asked["b"])
    while decoder.busy:
        for who, event in decoder.step(urgent):
            told[who].append(event)
    assert urgent.broke == 5
    for name, events in told.items():
        assert [lane.token_ids for lane in events[-1].lanes] == alone(model, asked[name])


def test_steps_are_not_broken_off_twice_in_a_row():
    decoder = Decoder(loaded())
    decoder.join("a", request("Hello", TUNED, max_new_tokens=8))
    told = [event for _ in range(60) for _, event in decoder.step(lambda request_id: request_id is None)]
    assert sum(len(event.ids) for event in told if isinstance(event, Tokens)) == 8


def test_a_kept_answer_is_told_though_the_tuned_one_breaks_at_once():
    model = loaded()
    asked = request("Hello", Recipe(), TUNED)
    (whole,) = [event for event in generate(model, asked) if isinstance(event, Result)]
    with torch.no_grad():
        model.module.model.embed_tokens.weight.fill_(float("nan"))
    told = drain(Decoder(model), {0: ("bad", asked)})["bad"]
    assert [type(event) for event in told] == [Tokens, LaneEnd, BrokenNumbers]
    assert told[0].ids == whole.lanes[0].token_ids


@pytest.mark.parametrize("others", [True, False])
def test_a_prefill_that_is_broken_off_leaves_nothing_behind(others):
    model = loaded()
    decoder = Decoder(model)
    staying = request("Hello", TUNED, LOUD)
    if others:
        decoder.join("a", staying)
        decoder.step()
    decoder.join("gone", request("a prompt that nobody waits for any more", LOUD, Recipe()))
    urgent = Urgent(2, request_id="gone")
    assert [who for who, _ in decoder.step(urgent)] == []
    assert urgent.broke == 1
    assert [type(event) for event in decoder.leave("gone")] == [LaneEnd, LaneEnd]
    if not others:
        decoder.join("a", staying)
    (result,) = [event for _ in range(80) for _, event in decoder.step() if isinstance(event, Result)]
    assert [lane.token_ids for lane in result.lanes] == alone(model, staying)
