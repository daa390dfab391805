"""An exponential moving average of what is trained (EMA): smoother weights than the last step left.

As diffusers' EMAModel: the decay grows with the steps, so that the first ones do not linger. Knows no run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from imfine.core.train.sharding import part_of


class Average:
    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self._decay = parameters, decay
        self.tensors = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def take(self, step: int) -> None:
        """After step `step` (0 is the first) has changed the parameters."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, p in self._parameters.items():
            self.tensors[name].lerp_(p, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The parameters are the average's within the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in self.tensors.items():
            tensor.copy_(part_of(tensors[name], tensor))

    @torch.no_grad()
    def _swap(self) -> None:
        for name, p in self._parameters.items():
            kept = p.clone()
            p.copy_(self.tensors[name])  # in place: a model that is split reads its numbers where they are
            self.tensors[name].copy_(kept)
