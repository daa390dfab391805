"""What the machine has, and what a model needs, in bytes: told before anything is loaded.

Memory in a container is what its control group allows (v1 and v2), not what the host has. Needs no torch: the
server and the command line's quick verbs ask here too.
"""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from imfine.core.families import ImageLayout, Layout, TextLayout
from imfine.errors import OutOfMemory

GIB = 1 << 30
DTYPE_BYTES = {"float32": 4, "bfloat16": 2}
WORKING = 96 << 20  # activations, logits and what Python itself grows by while it answers
PACKED_LIMIT = GIB  # bytes of weights up to which a second copy is worth its memory
RESERVE = GIB  # left to the system, the server and the page's browser
ROWS, TOKENS = 2, 2048  # what a card reckons with: both lanes, with a prompt and an answer of this length
PIXELS_AT_ONCE = 512 * 512
UNET_WIDTHS, VAE_WIDTHS = 24, 8  # activations at their largest, in feature maps of the first block's width
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # "bf16" is ARM's


@dataclass(frozen=True)
class Gpu:
    name: str
    total: int
    free: int


def cgroup_room(
    proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> tuple[int, int] | None:
    """(limit, still free) of the tightest control group this process is in; None: no limit."""
    rooms = []
    for folder, names in _cgroup_folders(proc, root):
        limit, used = (_number(folder / name) for name in names)
        if limit is None or used is None or limit >= 1 << 60:  # v1 writes "none" as a huge number
            continue
        rooms.append((limit, max(0, limit - used + _reclaimable(folder))))
    return min(rooms, key=lambda room: room[1], default=None)


def _cgroup_folders(proc: Path, root: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Our groups from the inside out: a limit of any of them binds."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, names = root, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = base / path.lstrip("/")
        while folder != base:
            yield folder, names
            folder = folder.parent
        yield base, names


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None


def _reclaimable(folder: Path) -> int:
    """File pages that the kernel gives back when memory is asked for."""
    try:
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))


def total() -> int:
    room = cgroup_room()
    ram: int = psutil.virtual_memory().total
    return min(ram, room[0]) if room else ram


def available() -> int:
    room = cgroup_room()
    ram: int = psutil.virtual_memory().available
    return min(ram, room[1]) if room else ram


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """NVIDIA's GPUs, as nvidia-smi tells; () without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
        rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines() if line.strip()]
        return tuple(Gpu(name, int(size) << 20, int(free) << 20) for name, size, free in rows)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


@functools.cache
def cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return frozenset(found.partition(":")[2].split())


def default_dtype() -> str:
    """bfloat16 where the processor multiplies it in hardware, else float32, which is then the quicker one."""
    if gpus() or BF16_FLAGS & cpu_flags() or platform.system() == "Darwin":
        return "bfloat16"
    return "float32"


def budget(memory_budget_gib: float | None = None) -> int:
    """Bytes that models may take on this machine, all together."""
    if memory_budget_gib is not None:
        return int(memory_budget_gib * GIB)
    if gpus():
        return max(gpu.total for gpu in gpus())
    return max(0, total() - RESERVE)


def kv_cache(layout: TextLayout, dtype: str, rows: int = ROWS, tokens: int = TOKENS) -> int:
    """Keys and values: 2 × layers × kv heads × head size for every token of every row."""
    each = 2 * layout.layers * layout.kv_heads * layout.head_dim * DTYPE_BYTES[dtype]
    return each * rows * min(tokens, layout.context_length)


def painting(
    layout: ImageLayout, dtype: str, pictures: int, width: int, height: int, *, guided: bool = True
) -> int:
    """Activations of painting so many pictures at once, beside the weights: the UNet's at its widest, or the
    decoder's, which paints fewer at a time."""
    rows = pictures * (2 if guided else 1)
    latents = (width // layout.factor) * (height // layout.factor)
    unet = rows * latents * layout.unet_width * DTYPE_BYTES[dtype] * UNET_WIDTHS
    decoded = min(pictures, decoded_at_once(width, height)) * width * height
    decoder = decoded * layout.vae_width * DTYPE_BYTES[dtype] * VAE_WIDTHS
    return max(unet, decoder) + pictures * width * height * 8


def decoded_at_once(width: int, height: int) -> int:
    """Pictures of one decoder call: its activations are the largest, so the others go after them."""
    return max(1, PIXELS_AT_ONCE // (width * height))


def packs(parameters: int, dtype: str) -> bool:
    """Whether a model's matrices are kept a second time, rearranged for the processor (models/packed.py)."""
    return not gpus() and parameters * DTYPE_BYTES[dtype] <= PACKED_LIMIT


def needed(parameters: int, layout: Layout, dtype: str) -> int:
    """Bytes to load a model and answer with both lanes: weights, what an answer holds, working set."""
    weights = parameters * DTYPE_BYTES[dtype]
    if isinstance(layout, ImageLayout):
        return weights + painting(layout, dtype, ROWS, layout.sample_size, layout.sample_size) + WORKING
    assert isinstance(layout, TextLayout)
    logits = 4 * ROWS * layout.vocab_size * 4  # float32, and its copies while sampling
    return weights * (2 if packs(parameters, dtype) else 1) + kv_cache(layout, dtype) + logits + WORKING


def check_fits(name: str, parameters: int, layout: Layout, dtype: str, have: int) -> None:
    """Raises: OutOfMemory with need, have and what would fit, when `have` bytes are too few."""
    need = needed(parameters, layout, dtype)
    if need <= have:
        return
    half = needed(parameters, layout, "bfloat16")
    if dtype == "float32" and half <= have:
        remedy = f"load it as bfloat16 ({half / 1e9:.1f} GB)"
    else:
        most = max(0, have - (half - parameters * DTYPE_BYTES["bfloat16"])) // DTYPE_BYTES["bfloat16"]
        remedy = f"choose a model of at most {most / 1e9:.1f} billion parameters, or free memory"
    raise OutOfMemory(
        f"{name} needs {need / 1e9:.1f} GB of memory in {dtype}, {have / 1e9:.1f} GB are free",
        remedy=remedy,
        field="model",
        value=name,
        need=need,
        have=have,
        dtype=dtype,
        fits_in_bfloat16=half <= have,
    )
