from collections.abc import Iterator

import pytest

import imfine.core.libraries  # noqa: F401 (before torch)

# isort: split
import torch


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For small models: their products are too small to share, and idle threads that spin slow a machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
