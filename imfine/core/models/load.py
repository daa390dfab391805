"""Loads a model with progress, and keeps models warm within a budget.
The one place where weights enter memory.

Checks come first (catalog.py, memory.py): what is refused or does not fit never gets as far as torch. Knows
no lanes, no queue; what a loaded model answers is text.py's matter.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imfine.core.libraries  # noqa: F401 (before torch)

# isort: split
import psutil
import torch
from transformers import PreTrainedModel

from imfine.core import memory
from imfine.core.equalizer import Equalizer
from imfine.core.events import Event, Phase
from imfine.core.families import ImageLayout, TextLayout
from imfine.core.lanes import pair
from imfine.core.models.catalog import Card, find
from imfine.core.models.checksum import checksum
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.folders import converted_dir, locked, need_disk, read_origin, staged, write_origin
from imfine.core.models.gguf import read_gguf
from imfine.core.models.local import Local, read_local
from imfine.core.models.module import BUILDING, DTYPES, read_module, read_tokenizer
from imfine.core.models.packed import pack
from imfine.core.models.pull import pull
from imfine.core.models.weights import FLOATS
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.answers import KeptAnswers
from imfine.errors import Invalid
from imfine.settings import Settings
from imfine.settings import settings as default_settings

if TYPE_CHECKING:
    from imfine.core.models.load_image import LoadedImageModel


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory, with the equalizer on it. `checksum`: sha256 of the weight files; `fingerprint`:
    of the weights in memory when they were loaded."""

    id: str
    revision: str
    dtype: str
    device: str
    module: PreTrainedModel
    tokenizer: Any
    layout: TextLayout
    equalizer: Equalizer
    checksum: str
    fingerprint: str
    card: Card
    path: Path
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    settings: Settings = field(default_factory=default_settings)  # where its deltas lie

    @property
    def nbytes(self) -> int:
        """Bytes of its weights and of its deltas in memory; tied weights count once."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        weights: dict[int, int] = {tensor.data_ptr(): tensor.nbytes for tensor in tensors}
        return sum(weights.values()) + self.equalizer.delta_bytes

    def compare(
        self,
        prompt: str,
        *,
        recipe: Recipe | Mapping[str, Any] | None = None,
        sampling: Sampling | Mapping[str, Any] | None = None,
        top: int = 0,
        **knobs: Any,
    ) -> Iterator[Event]:
        """The original's and the tuned model's answers, token by token and side by side.

        `knobs` are a recipe's parts: eps, attn, mlp, bands, points, deltas. Lane 0 is the original, lane 1
        the tuned model.
        Raises: RecipeError, SamplingError, Invalid, PromptTooLong.
        """
        from imfine.core.text.generate import TextRequest, generate

        chosen = sampling if isinstance(sampling, Sampling) else Sampling.parse(sampling or {})
        yield from generate(
            self, TextRequest(lanes=pair(recipe, knobs), prompt=prompt, sampling=chosen, top=top)
        )


def load(
    ref: str,
    *,
    revision: str | None = None,
    dtype: str | None = None,
    device: str | None = None,
    any_folder: bool = True,
    settings: Settings | None = None,
) -> Iterator[Phase | LoadedModel | LoadedImageModel]:
    """Fetches the model if it is not here, reads it, and yields it last; before that, bytes of each phase.

    Memory is checked before weights are fetched or read. `dtype` None: bfloat16 where the processor has it.
    Raises: what catalog.find and pull.pull raise, OutOfMemory, Invalid (dtype).
    """
    settings = settings or default_settings()
    dtype = dtype or memory.default_dtype()
    if dtype not in DTYPES:
        raise Invalid(
            f"dtype {dtype!r} is not known", remedy=f"use {' or '.join(DTYPES)}", field="dtype", value=dtype
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    card = find(ref, settings, any_folder=any_folder, revision=revision)
    if not card.ready:
        yield from pull(card, settings)
        card = find(ref, settings, any_folder=any_folder, revision=revision)
    assert card.path is not None
    local = read_local(Path(card.path))
    use_cores()
    counted = _counted(local, dtype)
    memory.check_fits(card.id, counted, local.layout, dtype, _room(device))
    folder = local.path
    if folder.is_file():
        folder = converted_dir(local.path, settings.home)
        yield from _converted(local, folder, settings)
    if isinstance(local.layout, ImageLayout):
        with BUILDING:  # imports diffusers
            from imfine.core.models.load_image import read_pictures

        yield from read_pictures(card, replace(local, path=folder), dtype, device, settings)
        return
    assert isinstance(local.layout, TextLayout)
    module: PreTrainedModel | None = None
    with ThreadPoolExecutor(1, "checksum") as pool:
        digest = pool.submit(checksum, folder, settings.home)
        for step in read_module(folder, local.layout, dtype, device):
            if isinstance(step, Phase):
                yield step
            else:
                module = step
        assert module is not None, "read_module yields the module last"
        if device == "cpu" and memory.packs(local.parameters, dtype):
            pack(module)
        weights = digest.result()
    yield LoadedModel(
        id=card.id,
        revision=card.revision or weights[:12],
        dtype=dtype,
        device=device,
        module=module,
        tokenizer=read_tokenizer(folder),
        layout=local.layout,
        equalizer=Equalizer(module, local.layout),
        checksum=weights,
        fingerprint=fingerprint(module),
        card=replace(card, dtype=dtype, memory_needed=memory.needed(counted, local.layout, dtype)),
        path=folder,
        settings=settings,
    )


def _counted(local: Local, dtype: str) -> int:
    """Numbers of the dtype that take as much memory as the model's weights: quantised ones take less."""
    item, tensors = memory.DTYPE_BYTES[dtype], (local.tensors or {}).values()
    saved = sum(each.size * item - each.nbytes for each in tensors if each.dtype not in FLOATS)
    return local.parameters - saved // item


def _room(device: str) -> int:
    if device != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return memory.available()


def use_cores() -> None:
    """One thread a physical core that is ours: hyper-threads only get in each other's way.
    OMP_NUM_THREADS overrides it."""
    if "OMP_NUM_THREADS" in os.environ:
        return
    ours = len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, min(psutil.cpu_count(logical=False) or ours, ours)))


def _converted(local: Local, folder: Path, settings: Settings) -> Iterator[Phase]:
    """The model's file as a folder of safetensors, made the first time."""
    file = local.path
    with locked(folder):
        if read_origin(folder) is not None:
            return
        assert local.expanded_size is not None, "a file is told with what becomes of it"
        need_disk(folder, local.expanded_size, file.name)
        with staged(folder) as target:
            if isinstance(local.layout, ImageLayout):
                yield from _from_single(file, target, settings)
            else:
                from imfine.core.models.convert import convert

                yield from convert(read_gguf(file), target)
            write_origin(target, source=str(file), source_size=file.stat().st_size)


def _from_single(file: Path, target: Path, settings: Settings) -> Iterator[Phase]:
    from imfine.core.models.clip_tokenizer import clip_tokenizer

    with BUILDING:  # imports diffusers
        from imfine.core.models.convert_single import convert_single
    from imfine.core.models.single_file import read_single_file

    for step in clip_tokenizer(settings.home):
        if isinstance(step, Phase):
            yield step
        else:
            yield from convert_single(read_single_file(file), step, target)


class Warm:
    """Models kept in memory within `budget` bytes; the one unused longest goes first.

    Safe with threads: one of them loads a model, the others that want it wait and are told how far it is.
    A model that was let go lives on for whoever still holds it.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._models: OrderedDict[tuple[Any, ...], LoadedModel | LoadedImageModel] = OrderedDict()
        self._loading: dict[tuple[Any, ...], Phase] = {}
        self._changed = threading.Condition()

    @property
    def models(self) -> list[LoadedModel | LoadedImageModel]:
        """Those in memory, the one used last at the end."""
        with self._changed:
            return list(self._models.values())

    def get(
        self, ref: str, *, revision: str | None = None, dtype: str | None = None, device: str | None = None
    ) -> Iterator[Phase | LoadedModel | LoadedImageModel]:
        """As `load`, from memory where it is there."""
        key = (ref, revision, dtype, device)
        while True:
            with self._changed:
                model = self._models.get(key)
                if model is not None:
                    self._models.move_to_end(key)
                    break
                if key not in self._loading:
                    self._loading[key] = Phase("loading")
                    break
                seen = self._loading[key]
                self._changed.wait(0.2)
                phase = self._loading.get(key, seen)
            if phase != seen:
                yield phase
        yield from [model] if model is not None else self._load(key)

    def _load(self, key: tuple[Any, ...]) -> Iterator[Phase | LoadedModel | LoadedImageModel]:
        ref, revision, dtype, device = key
        try:
            self._make_room(self._wanted(ref, revision, dtype))
            for step in load(ref, revision=revision, dtype=dtype, device=device):
                with self._changed:
                    if isinstance(step, Phase):
                        self._loading[key] = step
                    else:
                        self._models[key] = step
                    self._changed.notify_all()
                yield step
        finally:  # also when whoever asked leaves half-way: the next in line loads then
            with self._changed:
                del self._loading[key]
                self._changed.notify_all()

    def _wanted(self, ref: str, revision: str | None, dtype: str | None) -> int:
        card = find(ref, default_settings(), any_folder=True, revision=revision)
        item = memory.DTYPE_BYTES[dtype or card.dtype]
        return (card.parameters or 0) * item

    def _make_room(self, wanted: int) -> None:
        with self._changed:
            while (
                self._models and sum(model.nbytes for model in self._models.values()) + wanted > self.budget
            ):
                self._models.popitem(last=False)


@cache
def warm() -> Warm:
    """This process's models, for those who load by `imfine.load`."""
    return Warm(memory.budget(default_settings().memory_budget_gib))
