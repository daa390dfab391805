"""What the machine has, control groups included; what a model needs, told before it is loaded."""

from __future__ import annotations

from pathlib import Path

import forked
import psutil
import pytest
from grown import by_answering

from imfine.core import memory
from imfine.core.families import layout
from imfine.core.models.known import KNOWN, STARTERS
from imfine.errors import OutOfMemory

GIB = memory.GIB


def group(folder: Path, **files: int | str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


def test_a_v2_limit_binds_from_any_group_above_ours(tmp_path: Path) -> None:
    proc = tmp_path / "cgroup"
    proc.write_text("0::/pod/box\n")
    root = tmp_path / "fs"
    stat = f"anon 5\ninactive_file {GIB}"
    group(root / "pod", memory_max=4 * GIB, memory_current=3 * GIB, memory_stat=stat)
    group(root / "pod" / "box", memory_max="max", memory_current=GIB)
    assert memory.cgroup_room(proc, root) == (4 * GIB, 2 * GIB)
    group(root / "pod" / "box", memory_max=2 * GIB, memory_current=GIB)
    assert memory.cgroup_room(proc, root) == (2 * GIB, GIB)


def test_a_v1_limit_binds_and_a_huge_one_is_none(tmp_path: Path) -> None:
    proc, root = tmp_path / "cgroup", tmp_path / "fs"
    proc.write_text("5:cpu,cpuacct:/box\n4:memory:/box\n")
    box = root / "memory" / "box"
    box.mkdir(parents=True)
    (box / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (box / "memory.usage_in_bytes").write_text("5\n")
    assert memory.cgroup_room(proc, root) is None
    (box / "memory.limit_in_bytes").write_text(f"{8 * GIB}\n")
    (box / "memory.usage_in_bytes").write_text(f"{7 * GIB}\n")
    (box / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {GIB}\n")
    assert memory.cgroup_room(proc, root) == (8 * GIB, 2 * GIB)


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert memory.cgroup_room(tmp_path / "none", tmp_path) is None


def test_this_machine() -> None:
    assert 0 < memory.available() <= psutil.virtual_memory().total
    assert memory.available() <= memory.total()
    assert memory.default_dtype() in memory.DTYPE_BYTES


def test_a_budget_is_what_was_set_or_what_is_there_less_a_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.budget(2.5) == 2.5 * GIB
    monkeypatch.setattr(memory, "gpus", tuple)
    monkeypatch.setattr(memory, "total", lambda: 8 * GIB)
    assert memory.budget() == 7 * GIB


def test_what_llama_2_7b_needs_and_what_would_fit_instead() -> None:
    known = next(known for known in KNOWN if known.id == "meta-llama/Llama-2-7b-hf")
    where = layout(known.config)
    need = memory.needed(known.parameters, where, "bfloat16")
    weights, cache = 2 * known.parameters, 2 * 32 * 32 * 128 * 2 * 2 * 2048  # 2 bytes, 2 rows, 2048 tokens
    assert weights + cache < need < weights + cache + GIB
    memory.check_fits(known.id, known.parameters, where, "bfloat16", need)
    with pytest.raises(OutOfMemory, match="choose a model of at most") as caught:
        memory.check_fits(known.id, known.parameters, where, "bfloat16", 8 * GIB)
    assert caught.value.params["need"] == need
    assert caught.value.params["have"] == 8 * GIB
    with pytest.raises(OutOfMemory, match="load it as bfloat16"):
        memory.check_fits(known.id, known.parameters, where, "float32", need)


def test_the_starter_is_loaded_and_answers_within_what_its_card_says(starter: Path) -> None:
    """Measured in a process of its own: what loading and a short answer add to an interpreter with torch."""
    each = STARTERS[0]
    assert forked.call(by_answering, starter, "bfloat16") < memory.needed(
        each.parameters, layout(each.config), "bfloat16"
    )
