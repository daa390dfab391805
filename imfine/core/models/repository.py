"""Which files of a Hub repository we fetch: weights that are safe to open, configs, tokenizers, the card.

Knows names and sizes, no network. An image model's weights are fetched in half precision where all of its
parts have them: half of the bytes, and no fewer bits than bfloat16 keeps.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping

from imfine.core.models.local import refuse_without_safetensors
from imfine.core.models.pictures import SCHEDULER, TOKENIZERS
from imfine.core.models.weights import INDEX, PARTS, STEMS

SAFE = (
    "*.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "model.safetensors.index.json",
    "imfine.json", "chat_template.json", "tokenizer.model", "merges.txt", "vocab.txt", "*.jinja", "README.md",
)  # fmt: skip
SMALL = ("config.json", "tokenizer_config.json", "generation_config.json")
SHARD = re.compile(r"-\d+-of-\d+")

Sizes = dict[str, int]  # file → bytes


def wanted(repo: str, sizes: Mapping[str, int]) -> Sizes:
    """Raises: ModelNotFound (no weights), ModelRefused (pickled weights only)."""
    found = _pictures(repo, sizes) if INDEX in sizes else _text(repo, sizes)
    return {name: sizes[name] for name in found}


def small(files: Mapping[str, int]) -> list[str]:
    """The configs that tell what a model is before its weights come."""
    if INDEX in files:
        return [INDEX, *(name for name in files if name.endswith("config.json"))]
    return [name for name in SMALL if name in files]


def _text(repo: str, sizes: Mapping[str, int]) -> list[str]:
    names = [
        name for name in sizes if any(fnmatch.fnmatchcase(name, safe) for safe in SAFE) and "/" not in name
    ]
    weights = [name for name in names if name.endswith(".safetensors")]
    if not weights:
        refuse_without_safetensors(repo, list(sizes))
    if "model.safetensors.index.json" in names:
        weights = [
            name for name in weights if re.fullmatch(r"model-\d+-of-\d+\.safetensors", name)
        ] or weights
    elif "model.safetensors" in names:
        weights = ["model.safetensors"]
    return [name for name in names if not name.endswith(".safetensors") or name in weights]


def _pictures(repo: str, sizes: Mapping[str, int]) -> list[str]:
    parts = [part for part in PARTS if f"{part}/config.json" in sizes]
    for variant in ("fp16", ""):
        weights = {part: _weights(part, variant, sizes) for part in parts}
        if parts and all(weights.values()):
            break
    else:
        refuse_without_safetensors(repo, [name for name in sizes if name.startswith(tuple(parts))])
    names = [INDEX, SCHEDULER, "README.md", "imfine.json", *(f"{part}/config.json" for part in parts)]
    names += [name for each in weights.values() for name in each]
    for name in sizes:
        folder, _, file = name.partition("/")
        if folder in TOKENIZERS and any(fnmatch.fnmatchcase(file, safe) for safe in SAFE):
            names.append(name)
    return [name for name in names if name in sizes]


def _weights(part: str, variant: str, sizes: Mapping[str, int]) -> list[str]:
    """A part's one file, or its index with the shards."""
    tag = f".{variant}" if variant else ""
    for stem in STEMS:
        single, index = f"{part}/{stem}{tag}.safetensors", f"{part}/{stem}.safetensors.index{tag}.json"
        if index in sizes:
            shards = [
                name
                for name in sizes
                if name.startswith(f"{part}/{stem}{tag}-")
                and SHARD.search(name)
                and name.endswith(".safetensors")
            ]
            return [index, *shards]
        if single in sizes:
            return [single]
    return []
