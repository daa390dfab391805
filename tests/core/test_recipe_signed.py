"""TONE and STYLE in a recipe: from −1 to 1, 0 is neutral, and no text model has them."""

from __future__ import annotations

import pytest

from imfine.core.families import layout
from imfine.core.recipe import Recipe
from imfine.errors import RecipeError

GPT2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}


def test_zero_is_neutral_and_keeps_the_hash_of_text_recipes() -> None:
    assert Recipe(tone=0, style=-0.0).is_neutral
    assert Recipe(attn=1.2, tone=0.0).to_json() == {"attn": 1.2}
    assert Recipe(style=-1, tone=0.5).to_json() == {"style": -1.0, "tone": 0.5}
    assert Recipe.parse({"tone": 0.5}) == Recipe(tone=0.5)


@pytest.mark.parametrize("value", [1.01, -1.01, float("nan"), "1", True])
def test_what_is_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(RecipeError):
        Recipe.parse({"tone": value})


def test_a_text_model_has_no_tone() -> None:
    with pytest.raises(RecipeError, match="gpt2 is a text model: it has no tone"):
        Recipe(tone=0.5).check(layout(GPT2))
