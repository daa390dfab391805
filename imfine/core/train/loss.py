"""The loss on text: cross-entropy over the trained tokens alone, without ever holding a batch's logits.

The output layer is never trained here, so its part of the gradient is known as soon as the logits are: chunk
by chunk the gradient of the hidden states replaces them. After Liger-Kernel's fused linear cross-entropy
(arXiv 2410.10989), whose idea it is. Knows hidden states, no model.
"""

from __future__ import annotations

from typing import Any

import torch

CHUNK = 1 << 23  # logits held at once


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, grad: bool
    ) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grads = torch.empty_like(hidden) if grad else None
        size = max(1, CHUNK // weight.shape[0])
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(labels), size):
                span = slice(start, start + size)
                target = labels[span, None]  # (C, 1)
                logits = (hidden[span].to(weight.dtype) @ weight.T).float()  # (C, V)
                log_sum = logits.logsumexp(-1, keepdim=True)  # (C, 1)
                total += (log_sum - logits.gather(1, target)).sum()
                if grads is not None:
                    p = logits.sub_(log_sum).exp_()  # (C, V)
                    p.scatter_add_(1, target, torch.full_like(log_sum, -1.0))
                    grads[span] = (p.to(weight.dtype) @ weight).to(hidden.dtype)  # (C, D)
        ctx.grads = grads
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> tuple[torch.Tensor | None, None, None, None]:
        return ctx.grads * outer[0].to(ctx.grads.dtype), None, None, None


def summed_loss(hidden: torch.Tensor, head: torch.nn.Linear, labels: torch.Tensor) -> torch.Tensor:
    """Nats, summed over the positions with a target.

    hidden (B, L, D) after the last norm; labels (B, L), IGNORED where there is none. A float32 scalar.
    """
    assert head.bias is None, "no output layer of the table has a bias"
    assert not head.weight.requires_grad, "the output layer is not trained"
    kept = labels >= 0  # (B, L)
    flat = hidden[kept]  # (N, D)
    total: torch.Tensor = _HeadLoss.apply(
        flat, head.weight, labels[kept], torch.is_grad_enabled() and flat.requires_grad
    )
    return total
