import copy

import torch
from torch import nn

from imfine.core.models.fingerprint import fingerprint


def tower() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(70, 70), nn.LayerNorm(70), nn.Linear(70, 3)).bfloat16()


def test_equal_weights_have_equal_fingerprints():
    module = tower()
    assert fingerprint(module) == fingerprint(copy.deepcopy(module))
    assert len(fingerprint(module)) == 64


def test_any_bit_of_any_tensor_shows():
    module = tower()
    seen = {fingerprint(module)}
    for parameter in module.parameters():
        for place in (0, -1):
            bits = parameter.data.view(-1).view(torch.int16)
            bits[place] ^= 1
            seen.add(fingerprint(module))
            bits[place] ^= 1
    assert len(seen) == 1 + 2 * 6
    assert fingerprint(module) in seen


def test_where_a_tensor_lies_in_memory_does_not_matter():
    module = nn.Linear(100, 41, bias=False)
    before = fingerprint(module)
    room = torch.empty(100 * 41 + 1)
    room[1:] = module.weight.data.flatten()
    module.weight.data = room[1:].view(41, 100)
    assert fingerprint(module) == before
