"""Packed examples answer as they do alone, every row is read once an epoch, and padding is rare."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from small_models import ARCHITECTURES, small_model
from training import sentences

from imfine.core.train.feed import Feed
from imfine.core.train.packing import IGNORED, batch_of, pack
from imfine.core.train.tokens import Tokens, write_tokens

pytestmark = pytest.mark.usefixtures("one_thread")


class Plain:
    def __init__(self, ids: list[int], trained: list[bool]) -> None:
        self.ids, self.trained = ids, trained


def tokens_of(folder: Path, lengths: list[int], vocabulary: int = 96) -> Tokens:
    rng = random.Random(1)
    rows = [Plain(rng.choices(range(3, vocabulary), k=n), [i % 3 != 0 for i in range(n)]) for n in lengths]
    list(write_tokens(folder / "tokens", len(rows), rows.__getitem__, length=512))
    return Tokens(folder / "tokens")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_of_packed_examples_are_those_of_each_alone(architecture, tmp_path):
    module, _ = small_model(architecture)
    tokens = tokens_of(tmp_path, [7, 2, 12, 5, 3])
    batch = batch_of(tokens, [(0, 1, 2), (3, 4)])
    with torch.no_grad():
        packed = module(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits
        for b, rows in enumerate([(0, 1, 2), (3, 4)]):
            at = 0
            for row in rows:
                ids, _ = tokens.example(row)
                alone = module(input_ids=ids[None]).logits[0]
                there = packed[b, at : at + len(ids)]
                assert (there - alone).abs().max() < 1e-5 * alone.abs().max()
                at += len(ids)


def test_labels_are_the_next_trained_tokens_and_cross_no_border(tmp_path):
    tokens = tokens_of(tmp_path, [4, 3])
    batch = batch_of(tokens, [(0, 1), (1,)])
    a, b = tokens.example(0)[0].tolist(), tokens.example(1)[0].tolist()
    x = IGNORED
    assert batch.ids.tolist() == [a + b, b + b[-1:] * 4]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2], [0, 1, 2, 0, 0, 0, 0]]
    assert batch.labels.tolist() == [[a[1], a[2], x, x, b[1], b[2], x], [b[1], b[2], x, x, x, x, x]]
    assert batch.tokens == 10


def test_an_epoch_reads_every_row_once_and_fills_its_sequences():
    rng = random.Random(0)
    lengths = [rng.randint(1, 100) for _ in range(1500)]
    packs = pack(lengths, rng.sample(range(1500), 1500), 128)
    assert sorted(row for rows in packs for row in rows) == list(range(1500))
    sizes = [sum(lengths[row] for row in rows) for rows in packs]
    assert max(sizes) <= 128
    assert sum(sizes) / (128 * len(sizes)) > 0.97


@pytest.mark.parametrize("packing", [True, False])
def test_the_feed_of_a_step_does_not_depend_on_the_steps_before(packing):
    lengths = [random.Random(i).randint(1, 30) for i in range(50)]

    def feed() -> Feed:
        return Feed(lengths, range(40), room=64, packing=packing, per_step=3, seed=5)

    whole, count = feed(), feed().steps(3)
    steps = [whole.step(i) for i in range(count)]
    assert [feed().step(i) for i in (count - 1, 4, 0)] == [steps[count - 1], steps[4], steps[0]]
    read = [row for step in steps for rows in step for row in rows]
    assert set(read) == set(range(40))
    assert all(2 <= read.count(row) <= 4 for row in range(40))
    assert whole.epoch_after(count) == pytest.approx(3, abs=0.2)
    assert whole.step(0) == steps[0]


def test_one_row_fills_any_number_of_steps():
    feed = Feed([9], [0], room=64, packing=True, per_step=4, seed=0)
    assert feed.steps(1) == 1
    assert feed.step(1000) == [(0,)] * 4
    assert feed.epoch_after(5) == 20


def test_rows_without_a_target_are_left_out_and_told(tmp_path):
    rows = [Plain([5, 6, 7], [True, True, True]), Plain([5], [True]), Plain([5, 6], [True, False])]
    events = list(write_tokens(tmp_path / "t", 3, rows.__getitem__, length=512))
    assert events[-1].code == "rows_left_out"
    assert events[-1].params == {"left_out": 2, "rows": 3, "cut": 0, "length": 512}
    tokens = Tokens(tmp_path / "t")
    assert tokens.lengths == [3, 0, 0]
    assert tokens.counts == [2, 0, 0]


def test_tokens_are_made_once_and_again_when_something_else_is_asked(tmp_path):
    asked = []

    def example(i: int) -> Plain:
        asked.append(i)
        return Plain([5, 6], [True, True])

    for data in ("a", "a", "b"):
        list(write_tokens(tmp_path / "t", 2, example, length=512, data=data))
    assert asked == [0, 1, 0, 1]


def test_sentences_vary():
    assert sentences().rows == 40
