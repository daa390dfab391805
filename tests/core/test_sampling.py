import json
import math

import pytest

from imfine.core.sampling import Sampling
from imfine.errors import SamplingError


def test_defaults_make_the_round_trip_through_json():
    assert Sampling.parse({}) == Sampling()
    s = Sampling.parse({"greedy": True, "stop": ["\n", "끝"], "seed": 2**32 - 1, "temperature": 1})
    assert Sampling.parse(json.loads(json.dumps(s.to_json()))) == s
    assert s.stop == ("\n", "끝")
    assert isinstance(s.temperature, float)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", math.nan), ("temperature", math.inf), ("temperature", -math.inf), ("temperature", 0),
        ("temperature", 10**400), ("temperature", "1"), ("temperature", None), ("temperature", True),
        ("top_k", -1), ("top_k", 1.5), ("top_k", 2**63), ("top_p", 1.01), ("top_p", -0.1), ("min_p", 2),
        ("repetition_penalty", 0), ("no_repeat_ngram_size", -1), ("no_repeat_ngram_size", True),
        ("seed", -1), ("seed", 2**32), ("seed", 1.0), ("max_new_tokens", 0), ("max_new_tokens", 4097),
        ("min_new_tokens", 129), ("min_new_tokens", -5), ("greedy", 1), ("raw", "yes"), ("stop", "x"),
        ("stop", ["x"] * 9), ("colour", 1), ("stop", None),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(field, value):
    with pytest.raises(SamplingError) as e:
        Sampling.parse({field: value})
    assert e.value.field == f"sampling.{field}"
    assert field in e.value.message
    assert e.value.remedy
    json.dumps(e.value.to_json(), allow_nan=False)


@pytest.mark.parametrize("stop", ["", 3, "x" * 201, "\ud800"])
def test_a_bad_stop_string_is_named_by_its_place(stop):
    with pytest.raises(SamplingError) as e:
        Sampling.parse({"stop": ["ok", stop]})
    assert e.value.field == "sampling.stop.1"


@pytest.mark.parametrize("data", [None, [], "greedy", 3])
def test_sampling_that_is_no_object(data):
    with pytest.raises(SamplingError) as e:
        Sampling.parse(data)
    assert e.value.field == "sampling"


def test_the_constructor_checks_too():
    with pytest.raises(SamplingError):
        Sampling(top_p=7)
    assert Sampling().with_seed(3).seed == 3


def test_a_number_too_long_to_print_is_told_by_its_length():
    with pytest.raises(SamplingError) as e:
        Sampling.parse({"max_new_tokens": 10**5000})
    assert "16610 bits" in e.value.message
