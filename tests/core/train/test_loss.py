"""The chunked loss and its gradient are those of plain cross-entropy over all logits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import imfine.core.train.loss as loss_module
from imfine.core.train.loss import summed_loss
from imfine.core.train.packing import IGNORED


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_plain_cross_entropy(dtype, monkeypatch):
    monkeypatch.setattr(loss_module, "CHUNK", 96 * 4)  # several chunks, the last one short
    torch.manual_seed(0)
    head = torch.nn.Linear(48, 96, bias=False).requires_grad_(False).to(dtype)
    labels = torch.randint(0, 96, (3, 9))
    labels[torch.rand(3, 9) < 0.4] = IGNORED
    found = []
    for ours in (True, False):
        hidden = torch.randn(3, 9, 48, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
        if ours:
            loss = summed_loss(hidden, head, labels)
        else:
            logits = head(hidden.to(dtype)).float().flatten(0, 1)
            loss = functional.cross_entropy(logits, labels.flatten(), reduction="sum", ignore_index=IGNORED)
        (loss * 0.3).backward()
        found.append((loss.detach(), hidden.grad))
    room = 1e-5 if dtype == torch.float32 else 1e-2
    assert found[0][0] == pytest.approx(found[1][0].item(), rel=room)
    assert (found[0][1] - found[1][1]).abs().max() < room * found[1][1].abs().max()


def test_without_gradients_it_keeps_none():
    head = torch.nn.Linear(8, 12, bias=False).requires_grad_(False)
    with torch.no_grad():
        loss = summed_loss(torch.randn(1, 3, 8), head, torch.tensor([[1, IGNORED, 2]]))
    assert not loss.requires_grad


def test_a_batch_without_targets_has_no_loss():
    head = torch.nn.Linear(8, 12, bias=False).requires_grad_(False)
    hidden = torch.randn(1, 2, 8, requires_grad=True)
    loss = summed_loss(hidden, head, torch.full((1, 2), IGNORED))
    loss.backward()
    assert loss == 0
    assert hidden.grad.abs().sum() == 0
