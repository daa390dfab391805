"""`compare`: the original and the tuned model beside each other, asked for in keywords."""

from __future__ import annotations

from typing import Any

import pytest

from imfine.core.events import Picture, PictureResult
from imfine.core.image.generate import ImageSampling, compare
from imfine.core.recipe import Recipe
from imfine.errors import ImfineError, Invalid, RecipeError, SamplingError


def result(events: Any) -> PictureResult:
    last = list(events)[-1]
    assert isinstance(last, PictureResult)
    return last


def test_keywords_are_parts_of_a_recipe_or_settings(made: Any) -> None:
    events = list(compare(made("sd1"), "a red apple", attn=1.3, steps=2, seed=5, guidance=1))
    assert [event.lane for event in events if isinstance(event, Picture)] == [0, 1]
    told = result(events)
    assert [(lane.name, lane.recipe) for lane in told.lanes] == [("base", {}), ("tuned", {"attn": 1.3})]
    assert (told.seed, told.image["steps"], told.image["guidance"]) == (5, 2, 1.0)


@pytest.mark.parametrize("recipe", [Recipe(attn=1.3), {"attn": 1.3}])
@pytest.mark.parametrize("sampling", [ImageSampling(steps=2, seed=5), {"steps": 2, "seed": 5}])
def test_a_recipe_and_settings_say_the_same(made: Any, recipe: Any, sampling: Any) -> None:
    model = made("sd1")
    told = result(compare(model, "a red apple", recipe=recipe, sampling=sampling))
    again = result(compare(model, "a red apple", attn=1.3, steps=2, seed=5))
    assert [lane.pictures for lane in told.lanes] == [lane.pictures for lane in again.lanes]


@pytest.mark.parametrize(
    ("asked", "kind", "field"),
    [
        ({"recipe": Recipe(), "attn": 1.3}, Invalid, "recipe"),
        ({"sampling": {}, "steps": 3}, Invalid, "sampling"),
        ({"tone": 2}, RecipeError, "recipe.tone"),
        ({"colour": 1}, RecipeError, "recipe.colour"),
        ({"steps": 10_000}, SamplingError, "image.steps"),
        ({"sampling": {"size": 3}}, SamplingError, "image.size"),
        ({"width": 65, "height": 64}, SamplingError, "image.width"),
    ],
)
def test_what_cannot_be_is_told(
    made: Any, asked: dict[str, Any], kind: type[ImfineError], field: str
) -> None:
    with pytest.raises(kind) as told:
        list(compare(made("sd1"), "a red apple", **asked))
    assert told.value.field == field
    assert told.value.remedy
