"""What a recipe may say of deltas, and how it says it: canonical, and unchanged where there are none."""

from __future__ import annotations

import math

import pytest
from small_models import small_model

from imfine.core.recipe import Recipe
from imfine.errors import RecipeError


def test_the_canonical_form():
    assert Recipe.parse({"deltas": {}}).to_json() == {}
    assert Recipe.parse({"deltas": {"a": 0}}).to_json() == {}
    assert Recipe.parse({"deltas": {"a": {"strength": 0, "bands": {"attn": [2, 2]}}}}).is_neutral
    assert Recipe.parse({"deltas": {"b": 1, "a": {"strength": 0.5}}}).to_json() == {
        "deltas": {"a": 0.5, "b": 1.0}
    }
    assert Recipe.parse({"deltas": {"a": {"strength": 1, "bands": {"mlp": [1, 1]}}}}).to_json() == {
        "deltas": {"a": 1.0}
    }
    told = {"attn": 1.2, "deltas": {"a": {"bands": {"attn": [1.0, 0.5]}, "strength": -2.0}, "나의 것": 0.25}}
    assert Recipe.parse(told).to_json() == told
    assert Recipe.parse(Recipe.parse(told).to_json()) == Recipe.parse(told)
    assert Recipe.parse(told).named_deltas == ("a", "나의 것")


def test_one_without_deltas_keeps_its_hash():
    assert Recipe(attn=1.2).hash == "dc32ab3a52fbd53c351f90591eba980a9751a54e025663d93d17f38117c76181"
    assert Recipe(attn=1.2).hash == Recipe(attn=1.2, deltas={"a": 0}).hash
    assert Recipe(attn=1.2).hash != Recipe(attn=1.2, deltas={"a": 1}).hash
    assert Recipe().hash != Recipe(deltas={"a": 1}).hash


@pytest.mark.parametrize(
    ("deltas", "field", "reason"),
    [
        ([], "recipe.deltas", "type"),
        ({"a": "x"}, "recipe.deltas.a", "type"),
        ({"a": None}, "recipe.deltas.a", "type"),
        ({"a": True}, "recipe.deltas.a", "type"),
        ({"a": math.nan}, "recipe.deltas.a", "not_finite"),
        ({"a": 2.01}, "recipe.deltas.a", "range"),
        ({"a": {"strength": -3}}, "recipe.deltas.a.strength", "range"),
        ({"a": {"other": 1}}, "recipe.deltas.a.other", "unknown_key"),
        ({"a": {"strength": 1, "bands": {"eps": [1]}}}, "recipe.deltas.a.bands.eps", "unknown_key"),
        ({"a": {"strength": 1, "bands": {"attn": [5]}}}, "recipe.deltas.a.bands.attn.0", "range"),
        ({"../a": 1}, "recipe.deltas.../a", "unknown_delta"),
        ({"": 1}, "recipe.deltas.", "unknown_delta"),
        ({str(i): 1 for i in range(17)}, "recipe.deltas", "too_many"),
    ],
)
def test_what_is_wrong_is_named(deltas, field, reason):
    with pytest.raises(RecipeError) as error:
        Recipe.parse({"deltas": deltas})
    assert (error.value.field, error.value.params["reason"]) == (field, reason)
    assert error.value.remedy


def test_a_band_has_a_value_for_each_layer():
    _, layout = small_model("LlamaForCausalLM")
    Recipe(deltas={"any": {"strength": 1, "bands": {"attn": [1, 0, 1]}}}).check(layout)
    with pytest.raises(RecipeError, match="llama has 3 layers, got a band of 2 values for attn") as error:
        Recipe(deltas={"any": {"strength": 1, "bands": {"attn": [1, 0]}}}).check(layout)
    assert error.value.field == "recipe.deltas.any.bands.attn"
