"""A checked folder of safetensors becomes a transformers module, tensor by tensor, with bytes as they are
read.

The result is what transformers' from_pretrained gives (held by tests): its classes, key mapping, tying and
buffers; only the reading is ours, so that progress is true and memory holds the weights once. Knows no
catalog, no equalizer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers.utils import logging as hf_logging

from imfine.core.events import Phase
from imfine.core.families import Layout, name_in
from imfine.core.models.quantised import NF4, Nf4, check_readable, kept_as_read
from imfine.core.models.weights import BUFFERS, broken, read_folder
from imfine.errors import ModelBroken

EVERY_S = 0.05  # between two reports of progress
# transformers and diffusers set torch's default dtype while they build a module, for the whole process: two
# threads that built at once would leave each other's behind. And they import their parts when these are asked
# for: of two threads that do, one may find a part half made.
BUILDING = threading.Lock()
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Made = Callable[[str, torch.Tensor], Mapping[str, torch.Tensor]]  # what becomes of a tensor as it is stored


def read_module(
    folder: Path, where: Layout, dtype: str, device: str, *, nf4: bool = False
) -> Iterator[Phase | transformers.PreTrainedModel]:
    """Yields bytes read, and last the module: in eval mode, without gradients, on `device`. `nf4`: its
    matrices in 4 bits, quantised as they are read (quantised.py).

    Raises: ModelBroken, ModelRefused (quantised weights that cannot be used here).
    """
    with unreadable(folder, "config.json"):
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    config.dtype = DTYPES[dtype]
    if getattr(config, "quantization_config", None) is not None:
        check_readable(folder.name, config.to_dict())
        yield _finished(_built(folder, where, config, device=device), where, folder, device)
        return
    made = _cast(DTYPES[dtype])
    if nf4:
        with BUILDING:
            made = Nf4(folder, where, config, DTYPES[dtype], device)
        config.quantization_config = {**NF4, "bnb_4bit_compute_dtype": dtype}
    state: dict[str, torch.Tensor] = {}
    for step in _read(folder, made):
        if isinstance(step, Phase):
            yield step
        else:
            state = step
    yield _finished(_built(folder, where, config, state, device), where, folder, device)


def _cast(dtype: torch.dtype) -> Made:
    return lambda name, tensor: {name: tensor.to(dtype, copy=True)}


def _read(folder: Path, made: Made) -> Iterator[Phase | dict[str, torch.Tensor]]:
    """Every tensor, cast or quantised as it is read: never the file and the finished model at once."""
    tensors = [tensor for tensor in read_folder(folder).values() if not BUFFERS.search(tensor.name)]
    total, done, told = sum(tensor.nbytes for tensor in tensors), 0, 0.0
    state: dict[str, torch.Tensor] = {}
    yield Phase("loading", 0, total, "bytes")
    for file in sorted({tensor.file for tensor in tensors}):
        try:
            with safe_open(file, framework="pt") as source:
                for tensor in tensors:
                    if tensor.file != file:
                        continue
                    state |= made(tensor.name, source.get_tensor(tensor.name))
                    done += tensor.nbytes
                    if time.monotonic() - told > EVERY_S:
                        told = time.monotonic()
                        yield Phase("loading", done, total, "bytes")
        except SafetensorError as error:
            raise broken(file, str(error)) from error
    yield Phase("loading", total, total, "bytes")
    yield state


def apply_norm_eps(module: torch.nn.Module, layout: Layout) -> None:
    """Sets the eps of each norm that has one of its own (imfine.json) on a module just loaded."""
    modules = dict(module.named_modules())
    for name, eps in layout.norm_eps.items():
        setattr(modules[name_in(modules, name) or name], layout.eps_attr, eps)


def _built(
    folder: Path,
    where: Layout,
    config: Any,
    state: dict[str, torch.Tensor] | None = None,
    device: str = "cpu",
) -> transformers.PreTrainedModel:
    """transformers takes the tensors as they are: no initialisation, no copy. Without `state` (weights that
    are quantised already) it reads the folder itself."""
    quantised = getattr(config, "quantization_config", None) is not None
    try:
        with BUILDING, quiet():
            model, info = getattr(transformers, where.architecture).from_pretrained(
                folder if state is None else None,
                config=config,
                state_dict=state,
                dtype=config.dtype,
                device_map={"": device} if quantised else None,
                attn_implementation="sdpa",
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise _contradicts(folder, f"its tensors do not fit its config.json ({reason})") from error
    for kind, what in (("missing_keys", "lacks"), ("mismatched_keys", "has another shape for")):
        if names := sorted(str(name) for name in info[kind]):
            raise _contradicts(
                folder, f"it {what} {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
            )
    if names := sorted(info["unexpected_keys"]):
        raise _contradicts(folder, f"it has tensors that {where.architecture} does not know, e.g. {names[0]}")
    return model


def _contradicts(folder: Path, reason: str) -> ModelBroken:
    return ModelBroken(
        f"{folder.name} is broken: {reason}",
        remedy="fetch the model again, or mend its config.json",
        field="model",
        reason=reason,
    )


def _finished(
    model: transformers.PreTrainedModel, where: Layout, folder: Path, device: str
) -> transformers.PreTrainedModel:
    apply_norm_eps(model, where)
    if (folder / "generation_config.json").exists():
        with unreadable(folder, "generation_config.json"):
            model.generation_config = transformers.GenerationConfig.from_pretrained(
                folder, local_files_only=True
            )
    if getattr(model, "is_quantized", False):  # it is on its device; 8-bit weights refuse to be sent
        kept_as_read(model)
        model.eval().requires_grad_(False)
    else:
        model.eval().requires_grad_(False).to(device)
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own progress bars and load reports: what matters becomes an event or an error."""
    bars, level = hf_logging.is_progress_bar_enabled(), hf_logging.get_verbosity()
    hf_logging.disable_progress_bar()
    hf_logging.set_verbosity_error()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()


def read_tokenizer(folder: Path) -> Any:
    """Raises: ModelBroken."""
    with unreadable(folder, "tokenizer"):
        return transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )


@contextmanager
def unreadable(folder: Path, what: str) -> Iterator[None]:
    """What transformers and its tokenizers raise over a malformed file, as ModelBroken."""
    try:
        with quiet():
            yield
    except Exception as error:  # plain Exception is what the tokenizers raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _contradicts(folder, f"its {what} cannot be read ({' '.join(lines)[:200]})") from error
