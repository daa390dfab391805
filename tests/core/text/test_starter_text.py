"""The starter in float32: the original says what generate() says, and no answer depends on its neighbours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from imfine.core.events import LaneEnd, Tokens
from imfine.core.models.load import LoadedModel, load
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.answers import KeptAnswers
from imfine.core.text.generate import Decoder, Lane, TextRequest

PROMPT = "I want to be a superman."
TUNED = Recipe(attn=1.1, mlp=0.95)
TOKENS = 12


@pytest.fixture(scope="module")
def model(starter: Path) -> LoadedModel:
    return next(m for m in load(str(starter), dtype="float32") if isinstance(m, LoadedModel))


def tokens(model: LoadedModel, joins: dict[int, tuple[str, TextRequest]]) -> dict[str, list[int]]:
    """Every lane's tokens, where at step n joins[n] joins; without the measures that follow."""
    decoder = Decoder(replace(model, kept=KeptAnswers()))
    said: dict[str, list[int]] = defaultdict(list)
    lanes = sum(len(asked.lanes) for _, asked in joins.values())
    step = 0
    while lanes:
        if step in joins:
            decoder.join(*joins[step])
        for who, event in decoder.step():
            if isinstance(event, Tokens):
                said[f"{who}{event.lane}"] += event.ids
            lanes -= isinstance(event, LaneEnd)
        step += 1
    return said


def asked(prompt: str, *recipes: Recipe, **sampling) -> TextRequest:
    chosen = Sampling.parse({"max_new_tokens": TOKENS, "seed": 11, **sampling})
    return TextRequest(tuple(Lane(str(i), recipe) for i, recipe in enumerate(recipes)), prompt, chosen)


def test_the_original_says_what_generate_says(model):
    turns = [{"role": "user", "content": PROMPT}]
    batch = model.tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.module.generate(**batch, do_sample=False, max_new_tokens=TOKENS)
    expected = out[0, batch["input_ids"].shape[1] :].tolist()
    said = tokens(model, {0: ("a", asked(PROMPT, Recipe(), TUNED, greedy=True))})
    assert said["a0"] == expected


@pytest.mark.parametrize("choice", [{"greedy": True}, {"temperature": 1.0, "top_p": 1.0}])
def test_neighbours_do_not_change_an_answer(model, choice):
    first = asked(PROMPT, Recipe(), TUNED, **choice)
    second = asked(
        "Tell me, in a few words, what the sea looked like that day.", TUNED, Recipe(mlp=1.1), **choice
    )
    together = tokens(model, {0: ("a", first), 4: ("b", second)})
    assert together == {**tokens(model, {0: ("a", first)}), **tokens(model, {0: ("b", second)})}
    one = asked(PROMPT, TUNED, **choice)
    assert tokens(model, {0: ("x", one)})["x0"] == together["a1"]
