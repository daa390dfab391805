"""Answers against transformers' generate(), what events tell and in which order, what is kept or refused."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from small_models import ARCHITECTURES
from test_equalizer import Multiplied
from text_models import loaded

from imfine.core.events import LaneEnd, Measures, Notice, Phase, Result, Tokens
from imfine.core.models.load import LoadedModel
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.generate import Lane, Message, TextRequest, generate
from imfine.errors import BrokenNumbers, Invalid, PromptTooLong, RecipeError

TUNED = Recipe(attn=1.3, mlp=0.7, points={"o": 0.9})
BOTH = (Lane("base"), Lane("tuned", TUNED))
SAMPLINGS = [
    {"greedy": True},
    {"greedy": True, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 9},
    {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 0.8, "top_k": 12, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2},
]


def run(model: LoadedModel, request: TextRequest, **more) -> list:
    return list(generate(model, request, **more))


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def answers(events) -> dict[str, list[int]]:
    return {lane.name: lane.token_ids for lane in of(events, Result)[0].lanes}


def reference(module, ids: list[int], sampling: Sampling) -> list[int]:
    """What transformers' own generate() says."""
    options = {"do_sample": not sampling.greedy, "max_new_tokens": sampling.max_new_tokens, "pad_token_id": 0}
    options |= {"repetition_penalty": sampling.repetition_penalty, "min_new_tokens": sampling.min_new_tokens}
    options |= {"no_repeat_ngram_size": sampling.no_repeat_ngram_size}
    if not sampling.greedy:
        options |= {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        options |= {"min_p": sampling.min_p or None}
    torch.manual_seed(sampling.seed or 0)
    out = module.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **options)
    return out[0, len(ids) :].tolist()


def settings(**changes) -> Sampling:
    return Sampling.parse({"max_new_tokens": 20, "raw": True, "seed": 5, **changes})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("choice", SAMPLINGS)
def test_the_base_lane_says_what_generate_says(architecture, choice):
    model = loaded(architecture)
    sampling = settings(**choice)
    ids = model.tokenizer("To be or not").input_ids
    expected = reference(model.module, ids, sampling)
    said = answers(run(model, TextRequest(BOTH, "To be or not", sampling)))
    assert said["base"] == expected
    assert said["tuned"] != expected
    assert answers(run(model, TextRequest(BOTH[:1], "To be or not", sampling)))["base"] == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("choice", [SAMPLINGS[0], SAMPLINGS[2]])
def test_the_tuned_lane_says_what_multiplied_weights_say(architecture, choice):
    model = loaded(architecture)
    multiplied = (
        Multiplied(model.module, architecture).knob("attn", [1.3] * 3).knob("mlp", [0.7] * 3).point("o", 0.9)
    )
    sampling = settings(**choice)
    ids = model.tokenizer("To be or not").input_ids
    said = answers(run(model, TextRequest(BOTH, "To be or not", sampling)))
    assert said["tuned"] == reference(multiplied.module, ids, sampling)


def test_a_window_that_slides_is_generates_too():
    model = loaded("MistralForCausalLM", sliding_window=8)
    sampling = settings(greedy=True, max_new_tokens=40)
    ids = model.tokenizer("longer than the window is").input_ids
    expected = reference(model.module, ids, sampling)
    lanes = (Lane("base"), Lane("tuned", TUNED), Lane("other", prompt="short"))
    assert answers(run(model, TextRequest(lanes, "longer than the window is", sampling)))["base"] == expected


@pytest.mark.parametrize("choice", [SAMPLINGS[0], SAMPLINGS[2]])
def test_lanes_with_prompts_of_their_own(choice):
    model = loaded()
    prompts = ["a", "a much longer prompt than the others have", "안녕", "a"]
    lanes = tuple(Lane(str(i), TUNED if i % 2 else Recipe(), prompt) for i, prompt in enumerate(prompts))
    together = answers(run(model, TextRequest(lanes, "unused", settings(**choice))))
    for lane in lanes:
        alone = answers(run(loaded(), TextRequest((lane,), "unused", settings(**choice))))
        assert together[lane.name] == alone[lane.name]


def test_events_come_in_order_and_add_up():
    model = loaded()
    events = run(model, TextRequest(BOTH, "Hello", settings(), top=3))
    kinds = [type(event) for event in events if not isinstance(event, Phase)]
    assert kinds[-3:] == [Measures, Measures, Result]
    assert set(kinds[:-3]) == {Tokens, LaneEnd}
    result = events[-1]
    for lane, told in enumerate(result.lanes):
        mine = [e for e in of(events, Tokens) if e.lane == lane]
        assert [e.start for e in mine] == [sum(len(e.ids) for e in mine[:i]) for i in range(len(mine))]
        assert [i for e in mine for i in e.ids] == told.token_ids
        assert "".join(text for e in mine for text in e.texts) == told.text
        assert told.text == model.tokenizer.decode(told.token_ids, skip_special_tokens=True)
        end = next(e for e in of(events, LaneEnd) if e.lane == lane)
        assert (end.tokens, end.finish_reason) == (len(told.token_ids), told.finish_reason)
        assert end.tokens_per_s > 0
        assert end.first_token_ms > 0
        assert events.index(end) > events.index(mine[-1])
    json.dumps([asdict(event) for event in events], allow_nan=False)
    assert result.checksum == {
        "weights": model.checksum, "loaded": model.fingerprint, "live": model.fingerprint, "verified": True
    }  # fmt: skip
    assert result.recipe == TUNED.to_json()
    assert result.seed == 5
    assert result.manifest["touched"] > 0
    assert set(result.timing) == {"prefill_s", "decode_s", "total_s", "first_token_ms"}


def test_candidates_are_the_raw_logits_softmax():
    model = loaded()
    events = run(
        model, TextRequest(BOTH[:1], "Hello", settings(temperature=0.3, top_k=1, max_new_tokens=1), top=5)
    )
    (tokens,) = of(events, Tokens)
    ids = torch.tensor([model.tokenizer("Hello").input_ids])
    p, likeliest = model.module(ids).logits[0, -1].softmax(-1).topk(5)
    assert [c.id for c in tokens.top[0]] == likeliest.tolist()
    assert [c.p for c in tokens.top[0]] == pytest.approx(p.tolist(), rel=1e-4)
    assert [c.text for c in tokens.top[0]] == [model.tokenizer.decode([i]) for i in likeliest.tolist()]
    assert of(run(model, TextRequest(BOTH, "Hello", settings())), Tokens)[0].top is None


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    def say(**changes):
        return answers(run(loaded(), TextRequest(BOTH, "Hello", settings(temperature=1.0, **changes))))

    assert say() == say()
    assert say() != say(seed=6)
    drawn = [run(loaded(), TextRequest(BOTH, "Hello", settings(seed=None)))[-1].seed for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_a_neutral_tuned_lane_is_the_original_and_costs_no_row():
    events = run(loaded(), TextRequest((Lane("base"), Lane("tuned", Recipe(attn=1.0))), "Hello", settings()))
    base, tuned = events[-1].lanes
    assert base.token_ids == tuned.token_ids
    assert [m.first_change for m in of(events, Measures)] == [None, None]


def test_the_originals_answer_is_kept_and_told_again():
    model = loaded()
    request = TextRequest(BOTH, "Hello", settings(temperature=1.0), top=2)
    first = run(model, request)
    again = run(
        model, TextRequest((BOTH[0], Lane("tuned", Recipe(mlp=1.4))), "Hello", request.sampling, top=2)
    )
    assert [lane.metrics["kept"] for lane in first[-1].lanes] == [False, False]
    assert [lane.metrics["kept"] for lane in again[-1].lanes] == [True, False]
    assert (again[0].lane, len(again[0].ids)) == (1, 1)  # what is long does not hold up the first new token
    assert again[1].ids == first[-1].lanes[0].token_ids  # all of it, at once
    assert len(again[1].top) == len(again[1].ids)
    assert (again[2].lane, type(again[2])) == (0, LaneEnd)
    assert again[-1].lanes[0].text == first[-1].lanes[0].text
    assert again[-1].checksum["verified"]
    for other in (
        TextRequest(BOTH, "Hello!", request.sampling, top=2),
        TextRequest(BOTH, "Hello", request.sampling, top=1),
        TextRequest(BOTH, "Hello", request.sampling.with_seed(6), top=2),
        TextRequest(BOTH, "Hello", settings(temperature=1.0, max_new_tokens=19), top=2),
    ):
        assert not run(model, other)[-1].lanes[0].metrics["kept"]


def test_a_cancelled_answer_of_the_original_is_not_kept():
    model = loaded()
    request = TextRequest(BOTH, "Hello", settings(greedy=True, min_new_tokens=20))
    seen = []

    events = []
    for event in generate(model, request, cancelled=lambda: len(seen) >= 6):
        events.append(event)
        if isinstance(event, Tokens):
            seen.append(event)
    ends = of(events, LaneEnd)
    assert [(end.finish_reason, end.tokens) for end in ends] == [("cancelled", 3), ("cancelled", 3)]
    assert not of(events, Result)
    assert not run(model, request)[-1].lanes[0].metrics["kept"]


def test_a_cancel_before_the_first_token():
    events = run(loaded(), TextRequest(BOTH, "Hello", settings()), cancelled=lambda: True)
    assert [(e.lane, e.finish_reason, e.tokens) for e in events] == [(0, "cancelled", 0), (1, "cancelled", 0)]


def test_stop_strings_end_an_answer_and_are_never_shown():
    model = loaded()
    free = run(model, TextRequest(BOTH, "Hello", settings(temperature=1.0)))[-1].lanes[1]
    assert len(free.text) > 4
    stop = free.text[3:5]
    events = run(model, TextRequest(BOTH, "Hello", settings(temperature=1.0, stop=[stop])))
    lane = events[-1].lanes[1]
    assert lane.finish_reason == "stop"
    assert lane.text == free.text[: free.text.index(stop)]
    assert lane.token_ids == free.token_ids[: len(lane.token_ids)]
    assert "".join(t for e in of(events, Tokens) if e.lane == 1 for t in e.texts) == lane.text


def test_the_end_token_ends_an_answer_and_min_new_tokens_holds_it_off():
    model = loaded()
    with torch.no_grad():  # the end token is always the likeliest
        model.module.lm_head.weight[2] = 0
    model.module.generation_config.eos_token_id = None
    plain = answers(run(model, TextRequest(BOTH[:1], "Hello", settings(greedy=True))))["base"]
    ending = loaded()
    with torch.no_grad():
        ending.module.lm_head.weight[2] = 0
    ending.module.generation_config.eos_token_id = [plain[2], plain[3]]
    events = run(ending, TextRequest(BOTH[:1], "Hello", settings(greedy=True)))
    first = min(plain.index(plain[2]), plain.index(plain[3]))
    assert events[-1].lanes[0].token_ids == plain[: first + 1]
    assert events[-1].lanes[0].finish_reason == "stop"
    longer = run(ending, TextRequest(BOTH[:1], "Hello", settings(greedy=True, min_new_tokens=12)))
    assert len(longer[-1].lanes[0].token_ids) >= 12


def test_an_answer_that_fills_the_context_says_so():
    model = loaded()  # reads 128 tokens
    prompt = "x" * 120
    events = run(model, TextRequest(BOTH, prompt, settings(greedy=True, min_new_tokens=20)))
    (notice,) = of(events, Notice)
    assert notice.code == "context_overflow"
    assert notice.params == {"tokens": 120, "limit": 128, "room": 8, "wanted": 20}
    assert [(e.finish_reason, e.tokens) for e in of(events, LaneEnd)] == [("context", 8), ("context", 8)]


def test_a_prompt_that_fills_the_context_is_refused():
    with pytest.raises(PromptTooLong) as e:
        run(loaded(), TextRequest(BOTH, "x" * 128, settings()))
    assert e.value.params == {"tokens": 128, "limit": 128}


def test_a_hangul_prompt_to_an_english_model_is_told():
    (notice,) = of(run(loaded(), TextRequest(BOTH, "안녕", settings())), Notice)
    assert notice.code == "language"


def test_recipes_that_break_the_numbers_are_an_error():
    model = loaded()
    with torch.no_grad():
        model.module.lm_head.weight[7] = float("nan")
    with pytest.raises(BrokenNumbers) as e:
        run(model, TextRequest(BOTH, "Hello", settings()))
    assert "not finite" in e.value.message
    assert "nearer to 1" in e.value.remedy


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        (TextRequest((), "Hello"), Invalid, "lanes"),
        (TextRequest((Lane("x"),) * 33, "Hello"), Invalid, "lanes"),
        (TextRequest(BOTH, ""), Invalid, "prompt"),
        (TextRequest(BOTH, ()), Invalid, "prompt"),
        (TextRequest(BOTH, "\ud800"), Invalid, "prompt"),
        (TextRequest((Lane("x", Recipe(points={"9.o": 2})),), "Hello"), RecipeError, "recipe.points.9.o"),
        (TextRequest(BOTH, (Message("wizard", "x"),)), Invalid, "messages.0.role"),
        (TextRequest(BOTH, (Message("user", "x"), Message("assistant", "y"))), Invalid, "messages.1.role"),
    ],
)
def test_what_cannot_be_answered_names_its_field(request_, error, field):
    with pytest.raises(error) as e:
        run(loaded(chat=True), request_)
    assert e.value.field == field
    assert e.value.remedy


def test_a_chat_template_is_used_with_several_turns_unless_raw():
    model = loaded(chat=True)

    def prompt_tokens(prompt, **changes):
        result = run(model, TextRequest(BOTH, prompt, settings(max_new_tokens=1, **changes)))[-1]
        return result.lanes[0].metrics["prompt_tokens"]

    turns = (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Go"))
    # <|im_start|> and <|im_end|> are one token each, every other character one a byte
    one = len("user\nHi\nassistant\n") + 3
    assert prompt_tokens("Hi", raw=False) == one
    assert prompt_tokens(turns, raw=False) == one + len("assistant\nYes?\nuser\nGo\n") + 4
    assert prompt_tokens("Hi", raw=True) == 2
    assert prompt_tokens(turns, raw=True) == len("Hi\nYes?\nGo")


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' + 1 }}",
        "{{ raise_exception('no system turn') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1 ",
    ],
)
def test_a_template_can_refuse_but_not_escape(template):
    model = loaded(chat=True)
    model.tokenizer.chat_template = template
    with pytest.raises(Invalid) as e:
        run(model, TextRequest(BOTH, "Hi", settings(raw=False)))
    assert e.value.field == "prompt"
