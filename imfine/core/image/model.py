"""What this part of core needs of a loaded image model, and where its parts are. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import nn

from imfine.core.image.kept import Kept


class Equalizer(Protocol):
    def plan(self, recipes: Sequence[Any]) -> Any: ...
    def applied(self, plan: Any) -> AbstractContextManager[None]: ...


class ImageModel(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> str: ...
    @property
    def layout(self) -> Any: ...
    @property
    def card(self) -> Any: ...
    @property
    def checksum(self) -> str: ...
    @property
    def fingerprints(self) -> Mapping[str, str]: ...
    @property
    def unet(self) -> Any: ...
    @property
    def vae(self) -> Any: ...
    @property
    def text_encoders(self) -> tuple[Any, ...]: ...
    @property
    def tokenizers(self) -> tuple[Any, ...]: ...
    @property
    def scheduler_config(self) -> Mapping[str, Any]: ...
    @property
    def equalizer(self) -> Equalizer: ...
    @property
    def kept(self) -> Kept: ...


def parts(model: ImageModel) -> dict[str, nn.Module]:
    """The model's modules by the names of their folders."""
    encoders = {f"text_encoder{f'_{i + 1}' if i else ''}": m for i, m in enumerate(model.text_encoders)}
    return {"unet": model.unet, **encoders, "vae": model.vae}


def own_settings(model: ImageModel) -> dict[str, Any]:
    """The `image` of the layout's JSON, with what the card says of steps and guidance."""
    said = getattr(model.card, "image", None) or {}
    return {**model.layout.to_json()["image"], **said}
