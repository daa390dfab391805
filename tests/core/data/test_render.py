"""What a model reads of a row: transformers' own tokens, answers alone trained, previews that are the
text."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from given import given, jsonl, picture, zipped
from hypothesis import strategies as st
from transformers import AutoTokenizer

from imfine.core.data.render import Counted, Example, preview, render, rendered, tokens
from imfine.core.data.rows import Chat, Pair, Row, Text
from imfine.core.data.tokenizer import Tokenizer
from imfine.core.models.known import SHIPPED
from imfine.core.text.prompts import Message
from imfine.errors import DataError, ModelBroken

GPT2 = SHIPPED / "gpt2-classics"
TURNS = (
    Message("system", "Be kind. 친절하게."),
    Message("user", "Hello  there\n"),
    Message("assistant", " Hi! 🎉 안녕"),
    Message("user", "1234?"),
    Message("assistant", "5678 <|im_end|> no"),
)
QWEN3 = (  # as Qwen3: what an earlier answer thought is left out, and asking says more than answering
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
THINKING = (  # asking for an answer says more than an answer that is there
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
USER_FIRST = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}"
    "{% generation %}[{{ m.content }}]{% endgeneration %}{% endfor %}{{ eos_token }}"
)


@pytest.fixture(scope="module")
def smol(starter: Path) -> Any:
    return AutoTokenizer.from_pretrained(starter)


@pytest.fixture(scope="module", params=["transformers", "ours"])
def chat(request: pytest.FixtureRequest, starter: Path) -> Any:
    """The Llama starter's tokenizer, as the training loop has it and as the server has it."""
    return Tokenizer(starter) if request.param == "ours" else AutoTokenizer.from_pretrained(starter)


@pytest.fixture(scope="module", params=["transformers", "ours"])
def plain(request: pytest.FixtureRequest) -> Any:
    """The GPT-2 starter's: no chat template."""
    return Tokenizer(GPT2) if request.param == "ours" else AutoTokenizer.from_pretrained(GPT2)


@pytest.fixture
def templated(starter: Path, tmp_path: Path) -> Iterator[Any]:
    """Makes the starter's tokenizer with another template: transformers' and ours."""

    def make(template: str) -> tuple[Any, Tokenizer]:
        folder = tmp_path / "model"
        folder.mkdir()
        shutil.copy(starter / "tokenizer.json", folder)
        config = json.loads((starter / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": template}))
        return AutoTokenizer.from_pretrained(folder), Tokenizer(folder)

    return make  # type: ignore[return-value]


def said(example: Example, tokenizer: Any) -> list[str]:
    """The trained stretches."""
    found, before = [], False
    for token, trained in zip(example.ids, example.trained, strict=True):
        if trained and not before:
            found.append([])
        if trained:
            found[-1].append(token)
        before = trained
    return [tokenizer.decode(ids) for ids in found]


# ---------------------------------------------------------------- with a template


@pytest.mark.parametrize("turns", [TURNS, TURNS[1:3], TURNS[:3], TURNS[1:]])
def test_the_tokens_are_those_of_transformers(chat: Any, smol: Any, turns: tuple[Message, ...]) -> None:
    example = render(Chat(turns), chat, max_length=1000)
    own = smol.apply_chat_template([vars(turn) for turn in turns], return_dict=False)
    assert example.ids == own


def test_answers_alone_are_trained_and_the_token_that_ends_them(chat: Any, smol: Any) -> None:
    example = render(Chat(TURNS), chat, max_length=1000)
    assert said(example, smol) == [" Hi! 🎉 안녕<|im_end|>", "5678 <|im_end|> no<|im_end|>"]
    whole = render(Chat(TURNS), chat, answers_only=False, max_length=1000)
    assert (whole.ids, all(whole.trained)) == (example.ids, True)


def test_a_pair_is_a_conversation(chat: Any, smol: Any) -> None:
    example = render(Pair("1+1?", "2"), chat, max_length=1000)
    turns = Chat((Message("user", "1+1?"), Message("assistant", "2")))
    assert example == render(turns, chat, max_length=1000)
    assert said(example, smol) == ["2<|im_end|>"]


def test_a_text_is_trained_whole_and_ends(chat: Any, smol: Any) -> None:
    example = render(Text("Once upon a time"), chat, max_length=1000)
    assert example.ids == [*smol("Once upon a time").input_ids, smol.eos_token_id]
    assert all(example.trained)
    assert render(Text("Once upon", ends=False), chat, max_length=9).ids == smol("Once upon").input_ids


def test_too_long_is_cut(chat: Any) -> None:
    whole = render(Chat(TURNS), chat, max_length=1000)
    assert render(Chat(TURNS), chat, max_length=20) == Example(whole.ids[:20], whole.trained[:20])


def test_an_answer_begins_where_it_differs_from_what_asks_for_it(templated: Any, smol: Any) -> None:
    for tokenizer in templated(THINKING):
        example = render(Chat(TURNS), tokenizer, max_length=1000)
        assert said(example, smol) == [
            "Hi! 🎉 안녕<|im_end|>",
            "5678 <|im_end|> no<|im_end|>",
        ]


def test_a_template_that_is_not_stable_trains_all_and_says_so(templated: Any, tmp_path: Path) -> None:
    several = {"messages": [vars(turn) for turn in TURNS]}
    dataset = given(tmp_path, "d.jsonl", jsonl([several, {"prompt": "a", "completion": "b"}][:1] * 2))
    for tokenizer in templated(QWEN3):
        assert all(render(Chat(TURNS), tokenizer, max_length=1000).trained)
        [*_, counted] = tokens(dataset, tokenizer, max_length=1000)
        assert isinstance(counted, Counted)
        assert [(f.code, f.lines) for f in counted.findings] == [("template_unstable", [1, 2])]
        assert counted.trained == counted.tokens


def test_turns_that_a_template_refuses_are_told(templated: Any, tmp_path: Path) -> None:
    good = {"messages": [vars(turn) for turn in TURNS[1:]]}
    dataset = given(tmp_path, "d.jsonl", jsonl([good, {"messages": [vars(turn) for turn in TURNS]}]))
    for tokenizer in templated(USER_FIRST):
        with pytest.raises(DataError, match="no system turns"):
            render(Chat(TURNS), tokenizer, max_length=1000)
        [*_, counted] = tokens(dataset, tokenizer, max_length=1000)
        assert isinstance(counted, Counted)
        assert [(f.code, f.lines) for f in counted.findings if f.code == "template_refused"] == [
            ("template_refused", [2])
        ]


@pytest.mark.parametrize("template", [THINKING, QWEN3, "{{ messages | tojson }}{{ bos_token }}"])
def test_our_template_says_what_transformers_says(templated: Any, template: str) -> None:
    theirs, ours = templated(template)
    turns = [vars(turn) for turn in TURNS]
    for ask in (False, True):
        wanted = theirs.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
        assert ours.apply_chat_template(turns, add_generation_prompt=ask) == wanted


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ 1 / 0 }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ undefined.thing.other }}",
        "{% if %}",
        "{{ raise_exception('no') }}",
    ],
)
def test_a_template_is_data_not_code(templated: Any, template: str) -> None:
    _, ours = templated(template)
    with pytest.raises(DataError):
        render(Chat(TURNS), ours, max_length=10)


# ---------------------------------------------------------------- without a template


def test_without_a_template_the_answer_follows_and_the_text_ends(plain: Any) -> None:
    own = AutoTokenizer.from_pretrained(GPT2)
    example = render(Pair("Who?", "Me."), plain, max_length=1000)
    assert example.ids == [*own("Who?\nMe.").input_ids, own.eos_token_id]
    assert said(example, own) == ["\nMe.<|endoftext|>"]
    spaced = render(Pair("Who?", " Me."), plain, max_length=1000)
    assert said(spaced, own) == [" Me.<|endoftext|>"]
    assert own.decode(spaced.ids) == "Who? Me.<|endoftext|>"


def test_without_a_template_turns_are_lines(plain: Any) -> None:
    own = AutoTokenizer.from_pretrained(GPT2)
    example = render(Chat(TURNS[1:4]), plain, max_length=1000)
    assert own.decode(example.ids) == "Hello  there\n Hi! 🎉 안녕\n1234?"
    assert said(example, own) == [" Hi! 🎉 안녕"]


# ---------------------------------------------------------------- counts and previews

ROWS: list[Row] = [
    Chat(TURNS),
    Pair("1+1?", "2"),
    Text("All  happy families\n"),
    Pair("", "x"),
    Chat(TURNS[1:4]),
]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("which", ["chat", "plain", "none"])
def test_the_pieces_of_a_preview_are_the_text(
    request: pytest.FixtureRequest, starter: Path, tmp_path: Path, row: Row, which: str
) -> None:
    tokenizer = {"chat": lambda: Tokenizer(starter), "plain": lambda: Tokenizer(GPT2), "none": lambda: None}[
        which
    ]()
    from imfine.core.data.rows import to_json

    dataset = given(tmp_path, "d.jsonl", jsonl([to_json(row)] * 2))
    shown = preview(dataset, tokenizer, 5)
    assert len(shown) == 2
    pieces = shown[0]["pieces"]
    assert "".join(piece["text"] for piece in pieces) == rendered(row, tokenizer).text
    assert all(a["trained"] != b["trained"] for a, b in itertools.pairwise(pieces))
    if isinstance(row, Text):
        assert [piece["trained"] for piece in pieces] == [True]
    if which == "chat" and isinstance(row, Chat):
        assert next(p["text"] for p in pieces if p["trained"]) == " Hi! 🎉 안녕<|im_end|>"


def test_counting(chat: Any, tmp_path: Path) -> None:
    records = [{"prompt": "a", "completion": "b"}, {"prompt": "a " * 300, "completion": "b"}] * 300
    dataset = given(tmp_path, "d.jsonl", jsonl(records))
    *phases, counted = tokens(dataset, chat, max_length=100)
    assert isinstance(counted, Counted)
    examples = [render(dataset.row(i), chat, max_length=100) for i in range(2)]
    assert counted.tokens == 300 * sum(len(example.ids) for example in examples)
    assert counted.trained == 300 * sum(sum(example.trained) for example in examples) == 600
    assert counted.longest > 300
    found = {finding.code: finding for finding in counted.findings}
    assert found.keys() == {"too_long", "answer_cut"}
    assert found["too_long"].params["count"] == 300
    assert found["too_long"].lines == list(range(2, 202, 2))
    assert len(phases) == 3


def test_a_picture_is_previewed_by_its_caption(tmp_path: Path) -> None:
    dataset = given(tmp_path, "d.zip", zipped({"a.png": picture(), "a.txt": "a dog"}))
    [shown] = preview(dataset, None, 3)
    assert shown["pieces"] == [{"text": "a dog", "trained": True}]
    assert shown["picture"].items() >= {"width": 8, "height": 6}.items()
    with pytest.raises(DataError):
        render(dataset.row(0), None, max_length=9)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_tokenizer_that_cannot_be_read_is_said(starter: Path, tmp_path: Path, name: str) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(starter / file, tmp_path)
    (tmp_path / name).write_text("{oops")
    with pytest.raises(ModelBroken, match=name):
        Tokenizer(tmp_path)


WORDS = st.text(max_size=20) | st.sampled_from(
    ["<|im_end|>", "<|im_start|>assistant\n", "\n", " ", "🎉", "가나다"]
)
CHATS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(CHATS, st.booleans())
def test_whatever_is_said(starter: Path, turns: list[tuple[str, str]], system: bool) -> None:
    """The tokens are transformers' own, both tokenizers mark the same, and every answer is marked whole."""
    messages = [Message("system", "Be kind.")] if system else []
    for asked, answered in turns:
        messages += [Message("user", asked), Message("assistant", answered)]
    theirs, ours = _both(starter)
    example = render(Chat(tuple(messages)), theirs, max_length=10_000)
    assert example == render(Chat(tuple(messages)), ours, max_length=10_000)
    assert example.ids == theirs.apply_chat_template([vars(m) for m in messages], return_dict=False)
    text = rendered(Chat(tuple(messages)), theirs)
    assert [text.text[a:b] for a, b in text.answers] == [f"{answered}<|im_end|>" for _, answered in turns]
    marked = [token for token, trained in zip(example.ids, example.trained, strict=True) if trained]
    assert marked.count(theirs.eos_token_id) >= len(turns)


@cache
def _both(starter: Path) -> tuple[Any, Tokenizer]:
    return AutoTokenizer.from_pretrained(starter), Tokenizer(starter)


def test_a_tokenizer_that_ends_texts_itself_ends_them_once(tmp_path: Path) -> None:
    """A tokenizer that puts begin and end around every text: one end, and the begin is not a target."""
    shutil.copy(GPT2 / "tokenizer_config.json", tmp_path)
    shape = json.loads((GPT2 / "tokenizer.json").read_text())
    end = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    own = next(token["id"] for token in shape["added_tokens"] if token["content"] == "<|endoftext|>")
    tokens = {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [own], "tokens": ["<|endoftext|>"]}}
    shape["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [end, text, end],
        "pair": [end, text, end],
        "special_tokens": tokens,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(shape))
    tokenizer = Tokenizer(tmp_path)
    example = render(Text("Once upon"), tokenizer, max_length=100)
    assert (example.ids[0], example.ids[-1], example.ids.count(own)) == (own, own, 2)
    assert example.trained == [False] + [True] * (len(example.ids) - 1)
