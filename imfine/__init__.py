"""I'm Fine (아임파인): turn a pretrained model's weights like an equalizer, and compare its answers.

    import imfine
    for event in imfine.load("smollm2-135m").compare("I want to be a superman.", attn=1.2):
        print(event)

`import imfine` is light: torch comes with the first `load` or `Equalizer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imfine.version import VERSION as __version__

if TYPE_CHECKING:
    from imfine.core.equalizer import Equalizer
    from imfine.core.models.load import LoadedModel
    from imfine.core.models.load_image import LoadedImageModel
    from imfine.core.recipe import Recipe
    from imfine.core.sampling import Sampling
    from imfine.core.train.events import TrainEvent

__all__ = [
    "Equalizer",
    "LoadedImageModel",
    "LoadedModel",
    "Recipe",
    "Sampling",
    "__version__",
    "load",
    "train",
]

_HOMES = {
    "Equalizer": "imfine.core.equalizer",
    "LoadedImageModel": "imfine.core.models.load_image",
    "LoadedModel": "imfine.core.models.load",
    "Recipe": "imfine.core.recipe",
    "Sampling": "imfine.core.sampling",
}


def load(
    ref: str, *, revision: str | None = None, dtype: str | None = None, device: str | None = None
) -> LoadedModel | LoadedImageModel:
    """The model, fetched if need be and read into memory; at once when this process has loaded it before.

    `ref`: a starter's id, a folder, a .gguf file, an image model's .safetensors file, or `owner/name` on the
    Hub. `dtype`: float32 or bfloat16.
    Raises: the errors of imfine.errors. For progress iterate over imfine.core.models.load yourself.
    """
    from imfine.core.events import Phase
    from imfine.core.models.load import warm

    for step in warm().get(ref, revision=revision, dtype=dtype, device=device):
        if not isinstance(step, Phase):
            return step
    raise AssertionError("the model comes last")


def train(
    model: str,
    data: str | Path | Sequence[str | Path],
    *,
    name: str,
    resume: bool = False,
    **plan: Any,
) -> Iterator[TrainEvent]:
    """Fine-tunes `model` on `data` (files, folders, zips) and keeps it as `name`; the TrainResult comes last.

        for event in imfine.train("smollm2-135m", "letters.jsonl", name="letters", parts=["attn"], steps=200):
            print(event)

    `plan`: what imfine.core.train.plan.Plan holds, e.g. method, rank, epochs, lr, batch, length.
    Raises: the errors of imfine.errors.
    """
    from imfine.core.train.named import train_named

    paths = [data] if isinstance(data, (str, Path)) else list(data)
    return train_named(model, paths, name, plan, resume=resume)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imfine' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
