import random

import pytest
from text_models import byte_tokenizer, sentencepiece_tokenizer

from imfine.core.text.detokenise import Detokenizer, StopStrings

TEXTS = ["plain", "안녕하세요, 세계!", "a👍🏽b👨‍👩‍👧 끝", " leading and  double spaces ", "é̂ñ", "中文 а"]


def pieces(tokenizer, ids):
    text = Detokenizer(tokenizer)
    out = [text.push(token) for token in ids]
    out[-1] += text.flush()
    return out


@pytest.mark.parametrize("make", [byte_tokenizer, sentencepiece_tokenizer])
@pytest.mark.parametrize("text", [*TEXTS, "hello world hello"])
def test_pieces_put_together_are_the_decoded_answer(make, text):
    tokenizer = make()
    ids = tokenizer(text, add_special_tokens=False).input_ids
    out = pieces(tokenizer, ids)
    assert "".join(out) == tokenizer.decode(ids, skip_special_tokens=True)
    assert not any("\ufffd" in piece for piece in out)


def test_any_bytes_at_all():
    tokenizer = byte_tokenizer()
    draw = random.Random(0)
    for _ in range(200):
        ids = [draw.randrange(len(tokenizer)) for _ in range(draw.randrange(1, 40))]
        assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids, skip_special_tokens=True)


def test_an_answer_cut_off_within_a_character_keeps_what_was_told():
    tokenizer = sentencepiece_tokenizer()
    ids = tokenizer("한👍", add_special_tokens=False).input_ids
    assert "".join(pieces(tokenizer, ids[:-1])) == "한���"


def test_a_character_comes_with_its_last_token():
    tokenizer = byte_tokenizer()
    ids = tokenizer("한👍", add_special_tokens=False).input_ids
    assert pieces(tokenizer, ids) == ["", "", "한", "", "", "", "👍"]
    assert pieces(tokenizer, ids[:-1]) == ["", "", "한", "", "", "�"]


def passed(stops, texts):
    held = StopStrings(stops)
    out = []
    for i, text in enumerate(texts):
        out.append(held.push(i, text))
        if held.hit:
            return out, True
    out.append(held.flush())
    return out, False


def test_without_stop_strings_everything_passes_at_once():
    assert passed([], ["a", "", "b"]) == ([[(0, "a")], [(1, "")], [(2, "b")], []], False)


def test_text_that_could_become_a_stop_is_held_back():
    out, hit = passed(["END"], ["x E", "N", "D y"])
    assert hit
    assert out == [[], [], [(0, "x "), (1, ""), (2, "")]]
    out, hit = passed(["END"], ["x E", "N", "Y"])
    assert not hit
    assert out[2] == [(0, "x E"), (1, "N"), (2, "Y")]


def test_the_earliest_stop_cuts():
    out, hit = passed(["cd", "b"], ["abcd"])
    assert hit
    assert out == [[(0, "a")]]


@pytest.mark.parametrize("stop", ["aab", "a", "aaa", "ba"])
def test_no_text_passes_a_stop_whatever_the_pieces(stop):
    draw = random.Random(stop)
    for _ in range(300):
        texts = ["".join(draw.choices("ab", k=draw.randrange(4))) for _ in range(8)]
        out, hit = passed([stop], texts)
        told = "".join(text for batch in out for _, text in batch)
        whole = "".join(texts)
        assert hit == (stop in whole)
        assert told == (whole[: whole.index(stop)] if hit else whole)
