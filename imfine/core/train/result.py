"""The trained model as a folder that is whole or not there: weights, adapter, card, and what it was made of.

A weight file is the parent's, byte for byte, but for the trained tensors, which are put in their places in
the parent's dtype. Knows a learner that has finished, no loop.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch

from imfine.core.events import Phase
from imfine.core.families import stored
from imfine.core.models.folders import locked, need_disk, staged, sync
from imfine.core.models.weights import TensorInfo, broken, read_folder, read_safetensors, weight_files
from imfine.core.train.card import card_of
from imfine.core.train.checkpoint import told_when_full
from imfine.core.train.learner import Learner, Parent
from imfine.core.train.targets import targets
from imfine.errors import Conflict, ModelRefused

FACTS = "imfine-train.json"
CURVES = "curves.jsonl"
COPIED = (
    "config.json", "generation_config.json", "processor_config.json", "imfine.json",
    "*.safetensors.index.json",
    "tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*",
    "LICEN*", "NOTICE*",
)  # fmt: skip
ADAPTER = "adapter"  # the PEFT adapter's folder in the model's
Change = Callable[[torch.Tensor], torch.Tensor]  # the parent's tensor → the trained one
CHUNK = 1 << 24  # bytes copied at a time
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def write_result(
    learner: Learner, parent: Parent, out_dir: Path, curves: Path, facts: Mapping[str, Any]
) -> Iterator[Phase]:
    """Writes `out_dir`: a model that loads like its parent; with an adapter also adapter/, as PEFT has it.

    Yields Phase("saving", bytes done, bytes of all weight files).
    Raises: Conflict when `out_dir` exists, SetupError when the disk is too small or fills up.
    """
    source = parent.path
    files = weight_files(source)
    total = sum(file.stat().st_size for file in files)
    need_disk(out_dir, total, "the trained model")
    with locked(out_dir):
        free(out_dir)
        yield Phase("saving", 0, total)
        with told_when_full(out_dir.parent), staged(out_dir) as stage:
            done = 0
            changes = _changes(learner)
            for file in files:
                for size in _copied(file, changes, stage / file.name):
                    done += size
                    yield Phase("saving", done, total)
            _copy_rest(source, stage)
            shutil.copyfile(curves, stage / CURVES)
            (stage / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
            (stage / "README.md").write_text(card_of(out_dir.name, learner.local, facts), "utf-8")
            if learner.peft[0] is not None:
                from imfine.core.train.adapter import write_adapter

                write_adapter(learner.peft[0], stage / ADAPTER)
            for path in [*stage.rglob("*"), stage]:
                sync(path)
        sync(out_dir.parent)


def free(out_dir: Path) -> None:
    """Raises: Conflict when something is there already."""
    if out_dir.exists():
        raise Conflict(
            f"{out_dir.name} is already there",
            remedy="choose another name; training never writes over a model",
            field="name",
            value=str(out_dir),
        )


def _changes(learner: Learner) -> dict[str, Change]:
    """What training made of the parent's tensors, by their stored names."""
    tensors = read_folder(learner.local.path)
    if learner.plan.method == "full":
        return {
            stored(name, tensors): lambda _, new=parameter: new.detach()  # type: ignore[misc]
            for name, parameter in learner.trained.items()
        }
    from imfine.core.train.adapter import merged

    return {
        stored(f"{target.module}.weight", tensors): partial(merged, learner.module, target.module)
        for target in targets(learner.local.layout, learner.plan)
    }


def _copied(file: Path, changes: Mapping[str, Change], target: Path) -> Iterator[int]:
    """One weight file with the changed tensors in it; yields the bytes written since the last time."""
    entries = read_safetensors(file)
    with file.open("rb") as source, target.open("wb") as out:
        head = source.read(8)
        text = source.read(int.from_bytes(head, "little"))
        out.write(head + text)
        yield len(head) + len(text)
        header = json.loads(text)
        for name in sorted(entries, key=lambda name: header[name]["data_offsets"]):
            info = entries[name]
            if name in changes:
                out.write(_changed(info, b"".join(_pieces(source, info)), changes[name]))
                yield info.nbytes
                continue
            for raw in _pieces(source, info):
                out.write(raw)
                yield len(raw)


def _changed(info: TensorInfo, raw: bytes, change: Change) -> bytes:
    """The tensor's new bytes, rounded once to its own dtype."""
    if info.dtype not in DTYPES:
        raise ModelRefused(
            f"{info.name} is stored as {info.dtype}",
            remedy="train the model's version that is not quantised",
            field="model",
        )
    old = torch.frombuffer(bytearray(raw), dtype=DTYPES[info.dtype]).view(info.shape)
    new = change(old).cpu().to(old.dtype).contiguous()
    assert new.shape == old.shape, f"{info.name} changed its shape"
    return new.view(-1).view(torch.uint8).numpy().tobytes()


def _pieces(source: BinaryIO, info: TensorInfo) -> Iterator[bytes]:
    left = info.nbytes
    while left:
        raw = source.read(min(CHUNK, left))
        if not raw:
            raise broken(info.file, "it became shorter while it was read")
        left -= len(raw)
        yield raw


def _copy_rest(source: Path, stage: Path) -> None:
    """Config, tokenizer, licence; read_local has checked that no link leads out of the folder. Not what the
    parent's folder tells of the parent: its card, its measures, its own training."""
    for file in source.iterdir():
        if file.is_file() and any(fnmatch(file.name, pattern) for pattern in COPIED):
            shutil.copyfile(file, stage / file.name)
