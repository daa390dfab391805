"""What a picture run asks for: lanes, a prompt, settings. Plain data; knows no model."""

from __future__ import annotations

from dataclasses import dataclass, field

from imfine.core.image.sampling import ImageSampling
from imfine.core.lanes import Lane


@dataclass(frozen=True)
class ImageRequest:
    lanes: tuple[Lane, ...]
    prompt: str
    sampling: ImageSampling = field(default_factory=ImageSampling)
