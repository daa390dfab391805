"""What bfloat16 cannot tell apart is there on average."""

from __future__ import annotations

import torch

from imfine.core.train.rounding import rounded

STEP = 2**-7  # between two numbers of bfloat16 at 1


def test_a_change_too_small_for_bfloat16_is_there_on_average() -> None:
    new = torch.full((1000, 1000), 1 + STEP / 8)
    assert bool((new.to(torch.bfloat16) == 1).all())  # the nearest has nothing of it
    found = rounded(new, torch.bfloat16, "seed")
    assert set(found.unique().tolist()) == {1.0, 1 + STEP}
    assert abs(found.float().mean() - new.mean()) < STEP / 500
    assert abs(rounded(-new, torch.bfloat16, "other").float().mean() + new.mean()) < STEP / 500


def test_what_bfloat16_holds_stays_and_a_seed_repeats() -> None:
    held = torch.randn(64, 64).to(torch.bfloat16)
    assert torch.equal(rounded(held.float(), torch.bfloat16, "seed"), held)
    new = torch.randn(64, 64)
    assert torch.equal(rounded(new, torch.bfloat16, "seed"), rounded(new, torch.bfloat16, "seed"))
    assert not torch.equal(rounded(new, torch.bfloat16, "seed"), rounded(new, torch.bfloat16, "other"))
    assert float((rounded(new, torch.bfloat16, "seed").float() / new - 1).abs().max()) <= STEP


def test_finer_files_keep_the_number() -> None:
    new = torch.randn(8)
    assert rounded(new, torch.float32, "seed") is new
    assert rounded(new, torch.float16, "seed") is new
