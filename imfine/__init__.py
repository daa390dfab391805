"""I'm Fine (아임파인): turn a pretrained model's weights like an equalizer, and compare its answers.

    import imfine
    for event in imfine.load("smollm2-135m").compare("I want to be a superman.", attn=1.2):
        print(event)

`import imfine` is light: torch comes with the first `load` or `Equalizer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imfine.version import VERSION as __version__

if TYPE_CHECKING:
    from imfine.core.equalizer import Equalizer
    from imfine.core.models.load import LoadedModel
    from imfine.core.recipe import Recipe
    from imfine.core.sampling import Sampling

__all__ = ["Equalizer", "LoadedModel", "Recipe", "Sampling", "__version__", "load"]

_HOMES = {
    "Equalizer": "imfine.core.equalizer",
    "LoadedModel": "imfine.core.models.load",
    "Recipe": "imfine.core.recipe",
    "Sampling": "imfine.core.sampling",
}


def load(
    ref: str, *, revision: str | None = None, dtype: str | None = None, device: str | None = None
) -> LoadedModel:
    """The model, fetched if need be and read into memory; at once when this process has loaded it before.

    `ref`: a starter's id, a folder, a .gguf file, an image model's .safetensors file, or `owner/name` on the
    Hub. `dtype`: float32 or bfloat16.
    Raises: the errors of imfine.errors. For progress iterate over imfine.core.models.load yourself.
    """
    from imfine.core.models.load import LoadedModel, warm

    for step in warm().get(ref, revision=revision, dtype=dtype, device=device):
        if isinstance(step, LoadedModel):
            return step
    raise AssertionError("the model comes last")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'imfine' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
