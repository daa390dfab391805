"""A quick fingerprint of a live model's weights: taken at load, and again after an answer of the base lane,
it proves that nothing changed them in between. Not cryptographic, and not the files' checksum.

Every 4 KiB of a tensor are summed as 64-bit integers (no bit can flip unseen, and 270 MB take some 10–20 ms);
the names, shapes, dtypes and sums go through SHA-256.
"""

from __future__ import annotations

import hashlib
from itertools import chain

import torch
from torch import nn

WORDS = 512  # int64 words a sum: 4 KiB


@torch.no_grad()
def fingerprint(module: nn.Module) -> str:
    """64 hex digits over all parameters and buffers; tied tensors count once."""
    digest = hashlib.sha256()
    sums: list[torch.Tensor] = []
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        if flat.storage_offset() % 8 or flat.data_ptr() % 8:  # a slice of a mapped file may start anywhere
            flat = flat.clone()
        whole = flat.numel() // (8 * WORDS) * (8 * WORDS)
        if whole:
            sums.append(flat[:whole].view(torch.int64).view(-1, WORDS).sum(1))  # (N, 512) -> (N,)
        digest.update(flat[whole:].cpu().numpy().tobytes())
    if sums:
        digest.update(torch.cat([s.cpu() for s in sums]).numpy().tobytes())
    return digest.hexdigest()
