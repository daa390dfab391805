import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CONFIGS

from imfine.core.families import layout
from imfine.core.recipe import Recipe
from imfine.errors import RecipeError

LLAMA = layout(
    {"architectures": ["LlamaForCausalLM"], **CONFIGS["LlamaForCausalLM"]}
)  # 3 layers, 6 heads, 2 kv
GPT2 = layout({"architectures": ["GPT2LMHeadModel"]})  # 12 layers
QWEN3 = layout({"architectures": ["Qwen3ForCausalLM"], **CONFIGS["Qwen3ForCausalLM"]})

FULL = {
    "eps": 1.5,
    "attn": 1.2,
    "mlp": 0.8,
    "bands": {"attn": [1, 0.5, 1], "mlp": [1, 1, 2], "eps": [1, 1, 1]},
    "points": {"o": 0.8, "1.q": 1.2, "1.o.h3": 0, "down": 1.0},
}


def test_neutral_by_default():
    assert Recipe() == Recipe.parse({})
    assert Recipe().is_neutral
    assert Recipe().to_json() == {}
    gains = Recipe().gains(LLAMA)
    assert (gains.weights, gains.norms, gains.eps) == ({}, {}, {})


def test_the_canonical_form_is_minimal_and_stable():
    recipe = Recipe.parse(FULL)
    recipe.check(LLAMA)
    assert recipe.to_json() == {
        "attn": 1.2,
        "bands": {"attn": [1.0, 0.5, 1.0], "mlp": [1.0, 1.0, 2.0]},
        "eps": 1.5,
        "mlp": 0.8,
        "points": {"1.o.h3": 0.0, "1.q": 1.2, "o": 0.8},
    }
    assert list(recipe.to_json()) == sorted(recipe.to_json())
    assert Recipe.parse(recipe.to_json()) == recipe
    assert recipe.hash == Recipe.parse(json.loads(json.dumps(FULL))).hash


def test_the_hash_stays_the_same_over_versions():
    known = "bb3d781efb9cb1206a9823bc4584809743b3581e3c15bd0061995686963a756b"
    assert Recipe(attn=1.2, points={"4.o.h3": 0}).hash == known


@pytest.mark.parametrize(
    "neutral",
    [
        {"attn": 1},
        {"bands": {}},
        {"bands": {"mlp": [1, 1, 1]}},
        {"points": {"o": 1, "2.k.h1": 1.0}},
        {"eps": 1.0},
    ],
)
def test_what_is_neutral_does_not_count(neutral):
    assert Recipe.parse(neutral).is_neutral
    assert Recipe.parse(neutral).hash == Recipe().hash


def test_minus_zero_is_zero():
    assert Recipe(attn=-0.0).hash == Recipe(attn=0).hash
    assert math.copysign(1, Recipe(attn=-0.0).attn) == 1


gains = st.floats(0, 4).map(lambda value: round(value, 3))
bands = st.lists(gains, min_size=3, max_size=3)
recipes = st.fixed_dictionaries(
    {},
    optional={
        "eps": st.floats(0.1, 5).map(lambda value: round(value, 3)),
        "attn": gains,
        "mlp": gains | st.integers(0, 4),
        "bands": st.dictionaries(st.sampled_from(["attn", "mlp"]), bands),
        "points": st.dictionaries(
            st.sampled_from(["q", "o", "norm", "0.k", "2.up", "1.v.h1", "2.o.h5", "gate"]), gains
        ),
    },
)


@given(recipes)
@settings(max_examples=60, deadline=None)
def test_any_recipe_survives_its_canonical_form(data):
    recipe = Recipe.parse(data)
    recipe.check(LLAMA)
    again = Recipe.parse(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    assert again.hash == recipe.hash
    assert again.gains(LLAMA) == recipe.gains(LLAMA)


def test_everything_multiplies():
    recipe = Recipe.parse({**FULL, "points": {"q": 0.5, "1.q": 1.2, "1.q.h2": 0.25, "o": 0.8, "1.o.h3": 0}})
    gains = recipe.gains(LLAMA)
    q = gains.weights["model.layers.1.self_attn.q_proj"].values
    whole = 1.2 * 0.5 * (0.5 * 1.2)  # knob × band × point × point of the layer
    assert q == pytest.approx((whole, whole, whole * 0.25, whole, whole, whole))
    assert gains.weights["model.layers.0.self_attn.q_proj"].values == pytest.approx((1.2 * 0.5,))
    assert gains.weights["model.layers.1.self_attn.o_proj"].values == pytest.approx(
        (0.8, 0.8, 0.8, 0, 0.8, 0.8)
    )
    assert gains.weights["model.layers.2.mlp.up_proj"].values == pytest.approx((0.8 * 2,))
    assert "model.layers.2.mlp.gate_proj" not in gains.weights
    assert gains.eps["model.layers.0.input_layernorm"] == pytest.approx(10**0.5)
    assert len(gains.eps) == 6  # two norms a layer; never the last norm


def test_gains_that_cancel_are_no_gains():
    recipe = Recipe(attn=2, bands={"attn": [0.5, 0.5, 0.5]})
    assert not recipe.is_neutral
    assert recipe.gains(LLAMA).weights == {}


def test_where_q_and_k_are_normalised_their_points_are_the_norms():
    gains = Recipe(attn=0.5, points={"q": 2}).gains(QWEN3)
    assert gains.norms == {f"model.layers.{i}.self_attn.q_norm": 2 for i in range(3)}
    assert gains.weights["model.layers.0.self_attn.q_proj"].values == (0.5,)  # classic: the weight itself


def test_a_recipe_cannot_be_changed():
    recipe = Recipe(points={"o": 0.5})
    with pytest.raises(TypeError):
        recipe.points["o"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        recipe.attn = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "field", "reason"),
    [
        ({"attn": float("nan")}, "recipe.attn", "not_finite"),
        ({"attn": json.loads("NaN")}, "recipe.attn", "not_finite"),
        ({"mlp": json.loads("1e999")}, "recipe.mlp", "not_finite"),
        ({"mlp": float("-inf")}, "recipe.mlp", "not_finite"),
        ({"attn": 2**63}, "recipe.attn", "range"),
        ({"eps": 2**63}, "recipe.eps", "range"),
        ({"eps": 10**400}, "recipe.eps", "range"),
        ({"attn": -0.1}, "recipe.attn", "range"),
        ({"attn": 4.01}, "recipe.attn", "range"),
        ({"eps": 0.05}, "recipe.eps", "range"),
        ({"attn": True}, "recipe.attn", "type"),
        ({"attn": "1.2"}, "recipe.attn", "type"),
        ({"attn": None}, "recipe.attn", "type"),
        ({"bands": []}, "recipe.bands", "type"),
        ({"bands": None}, "recipe.bands", "type"),
        ({"bands": {"attn": "111"}}, "recipe.bands.attn", "type"),
        ({"bands": {"attn": {"0": 1}}}, "recipe.bands.attn", "type"),
        ({"bands": {"attn": [1, False, 1]}}, "recipe.bands.attn.1", "type"),
        ({"bands": {"mlp": [1, 1, float("inf")]}}, "recipe.bands.mlp.2", "not_finite"),
        ({"bands": {"mlp": [1, 1, 5]}}, "recipe.bands.mlp.2", "range"),
        ({"bands": {"o": [1, 1, 1]}}, "recipe.bands.o", "unknown_key"),
        ({"bands": {"attn": [1, 1]}}, "recipe.bands.attn", "band_length"),
        ({"bands": {"attn": []}}, "recipe.bands.attn", "band_length"),
        ({"bands": {"eps": [1] * 14}}, "recipe.bands.eps", "band_length"),
        ({"points": [1]}, "recipe.points", "type"),
        ({"points": {"o": -1}}, "recipe.points.o", "range"),
        ({"points": {"o": float("nan")}}, "recipe.points.o", "not_finite"),
        ({"points": {"x": 1}}, "recipe.points.x", "unknown_point"),
        ({"points": {"o.h3": 1}}, "recipe.points.o.h3", "unknown_point"),
        ({"points": {"01.o": 1}}, "recipe.points.01.o", "unknown_point"),
        ({"points": {"-1.o": 1}}, "recipe.points.-1.o", "unknown_point"),
        ({"points": {"1.o.3": 1}}, "recipe.points.1.o.3", "unknown_point"),
        ({"points": {"": 1}}, "recipe.points.", "unknown_point"),
        ({"points": {7: 1}}, "recipe.points.7", "unknown_point"),
        ({"points": {"3.o": 1}}, "recipe.points.3.o", "layer_range"),
        ({"points": {"999999999999.o": 1}}, "recipe.points.999999999999.o", "unknown_point"),
        ({"points": {"1.o.h6": 1}}, "recipe.points.1.o.h6", "head_range"),
        ({"points": {"1.k.h2": 1}}, "recipe.points.1.k.h2", "head_range"),
        ({"points": {"1.up.h0": 1}}, "recipe.points.1.up.h0", "no_heads"),
        ({"points": {"norm": 1, "1.norm.h0": 1}}, "recipe.points.1.norm.h0", "no_heads"),
        ({"eps": 5.1}, "recipe.eps", "eps_limit"),
        ({"eps": 3, "bands": {"eps": [1, 2, 1]}}, "recipe.bands.eps", "eps_limit"),
        ({"atn": 1}, "recipe.atn", "unknown_key"),
        ([], "recipe", "type"),
        ("{}", "recipe", "type"),
        (None, "recipe", "type"),
    ],
)
def test_what_is_wrong_is_named(data, field, reason):
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(data).check(LLAMA)
    error = caught.value.to_json()
    assert (error["field"], error["params"]["reason"]) == (field, reason)
    assert error["message"]
    assert error["remedy"]
    json.dumps(error, allow_nan=False).encode()


def test_messages_carry_fact_value_and_next_step():
    with pytest.raises(RecipeError) as caught:
        Recipe(bands={"attn": [1.0] * 14}).check(GPT2)
    assert str(caught.value) == "gpt2 has 12 layers, got a band of 14 values for attn; give 12 (layers 0–11)"
    with pytest.raises(RecipeError) as caught:
        Recipe(points={"gate": 0.5}).check(GPT2)
    assert str(caught.value) == "gpt2 has no point gate; its points are q k v o up down norm"
    assert caught.value.params["points"] == list(GPT2.points)
    with pytest.raises(
        RecipeError, match="k of llama has 2 key-value heads, got head 2; name a head from 0 to 1"
    ):
        Recipe(points={"1.k.h2": 0}).check(LLAMA)
    with pytest.raises(RecipeError, match="q of qwen3 has no single heads"):
        Recipe(points={"1.q.h2": 0}).check(QWEN3)


@pytest.mark.parametrize("name", ["\ud800", "\u202eo", "o\x00", "o" * 5000, "😀", "4.o\n"])
def test_odd_names_come_back_as_something_that_can_be_sent(name):
    for data in ({name: 1}, {"points": {name: 1}}, {"bands": {name: []}}):
        with pytest.raises(RecipeError) as caught:
            Recipe.parse(data)
        assert len(json.dumps(caught.value.to_json(), ensure_ascii=False).encode("utf-8")) < 1500


def test_the_eps_knob_reaches_its_limit():
    Recipe(eps=LLAMA.eps_knob_max).check(LLAMA)
    assert Recipe(eps=5).gains(LLAMA).eps["model.layers.0.input_layernorm"] * 1e-5 == pytest.approx(0.1)
