"""The GPT-2 starter as a person meets it: loaded by transformers alone, on a chapter that it never saw."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, PreTrainedTokenizerBase

FOLDER = Path(__file__).parents[2] / "starters" / "gpt2-classics"
PER_WORD = 240.0  # 210 when it was made; windows without overlap, so more than in evaluation.json


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    return AutoModelForCausalLM.from_pretrained(FOLDER, local_files_only=True, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def snippet() -> str:
    return (FOLDER / "heldout.txt").read_text(encoding="utf-8").strip()


def test_it_is_a_small_plain_gpt2(model: GPT2LMHeadModel) -> None:
    assert type(model) is GPT2LMHeadModel
    assert 8e6 < model.num_parameters() < 15e6
    assert (FOLDER / "model.safetensors").stat().st_size < 40e6
    with safe_open(FOLDER / "model.safetensors", "pt") as weights:
        dtypes = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 - not iterable
    assert dtypes == {"F16"}


def test_tokens_become_the_text_again(tokenizer: PreTrainedTokenizerBase, snippet: str) -> None:
    text = f"{snippet}\n\n괜찮아 – “It's fine .”\t  \n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert 4000 <= len(tokenizer) <= 8000
    assert tokenizer.eos_token_id == 0


def test_it_reads_an_unseen_chapter(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase, snippet: str
) -> None:
    ids = torch.tensor([tokenizer.eos_token_id, *tokenizer(snippet)["input_ids"]])
    nats = 0.0
    for start in range(0, len(ids) - 1, 255):
        window = ids[start : start + 256][None]
        with torch.no_grad():
            logits = model(input_ids=window[:, :-1]).logits[0]
        nats += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
    per_word = math.exp(nats / len(snippet.split()))
    assert per_word < PER_WORD, f"perplexity a word is {per_word:.1f}"


def test_the_likeliest_answer_is_no_stutter(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    ids = tokenizer("It was a cold morning", return_tensors="pt")
    out = model.generate(**ids, do_sample=False, max_new_tokens=40)[0, ids["input_ids"].shape[1] :].tolist()
    triples = list(zip(out, out[1:], out[2:], strict=False))
    assert len(set(triples)) > 0.8 * len(triples), tokenizer.decode(out)


def test_it_beats_its_baselines_on_what_it_read_most() -> None:
    perplexity = json.loads((FOLDER / "evaluation.json").read_text())["perplexity"]
    ours, grams, singles = (perplexity[name] for name in ("gpt2-classics", "5-gram", "unigram"))
    for text in ("all", "Jane Austen, six novels", "Herman Melville, Moby-Dick"):
        assert ours[text]["per_word"] < grams[text]["per_word"] < singles[text]["per_word"]


@pytest.mark.parametrize("context", [(0,), (3, 4), (1, 2, 4, 0), (6, 6, 6, 6, 6)])
def test_the_5_gram_is_an_honest_one(context: tuple[int, ...]) -> None:
    kneser_ney = runpy.run_path(str(FOLDER / "baselines.py"))["kneser_ney"]
    train = np.random.default_rng(0).integers(0, 7, 400) ** 2 % 7
    texts = [np.array([*context, token]) for token in range(7)]
    with np.errstate(divide="ignore"):  # before the first token nothing is known
        assert sum(np.exp(kneser_ney(train, text, 7)[-1]) for text in texts) == pytest.approx(1.0)
