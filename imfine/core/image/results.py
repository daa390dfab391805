"""The end of a request: measures beside each picture, then the result that is kept with the run.

A generator that does one short piece of work between two events, so that a cancel is heard meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import diffusers
import torch
import transformers

from imfine.core.events import Event, PaintedLane, Phase, PictureMeasures, PictureResult
from imfine.core.image import measures
from imfine.core.image.model import ImageModel, parts
from imfine.core.image.opened import Opened, Series
from imfine.core.manifest import manifest
from imfine.core.models.fingerprint import fingerprint
from imfine.core.recipe import Recipe
from imfine.version import VERSION


def finish(opened: Opened) -> Iterator[Event]:
    """Phase and PictureMeasures for each lane, last the result. All of the request's pictures are there."""
    measured: dict[int, list[PictureMeasures]] = {}
    for series in opened.series:
        yield Phase("measuring", done=len(measured), total=len(opened.request.lanes), unit="lanes")
        base = _base_of(opened.series, series)
        for index in range(opened.sampling.count):
            told = _measured(series, base, index)
            for lane in series.lanes:
                event = PictureMeasures(lane, index, **told)
                measured.setdefault(lane, []).append(event)
                yield event
    yield _result(opened, measured)


def live_fingerprint(model: ImageModel) -> str:
    """Of all parts' weights as they are now."""
    return _together({name: fingerprint(module) for name, module in parts(model).items()})


def _together(prints: Any) -> str:
    lines = "".join(f"{name} {each}\n" for name, each in sorted(prints.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _base_of(every: Sequence[Series], series: Series) -> Series | None:
    """The original's series for the same prompt; None for itself."""
    originals = (s for s in every if s.recipe.is_neutral and s.prompt == series.prompt)
    base = next(originals, None)
    return None if base is series else base


def _measured(series: Series, base: Series | None, index: int) -> dict[str, Any]:
    pixels = series.pictures[index].pixels
    beside = None if base is None else base.pictures[index].pixels
    return {
        "difference": None if beside is None else measures.difference(pixels, beside),
        "ssim": None if beside is None else measures.ssim(pixels, beside),
        "colourfulness": measures.colourfulness(pixels),
        "sharpness": measures.sharpness(pixels),
    }


def _result(opened: Opened, measured: dict[int, list[PictureMeasures]]) -> PictureResult:
    model = opened.model
    by_lane = {lane: series for series in opened.series for lane in series.lanes}
    recipe = next((s.recipe for s in opened.series if not s.recipe.is_neutral), Recipe())
    shapes = {
        f"{part}.{name}": tuple(parameter.shape)
        for part, module in parts(model).items()
        for name, parameter in module.named_parameters()
    }
    lanes = [
        PaintedLane(
            name=lane.name,
            pictures=[
                {
                    "index": i,
                    "seed": picture.seed,
                    "sha256": picture.sha256,
                    "width": picture.pixels.shape[1],
                    "height": picture.pixels.shape[0],
                }
                for i, picture in sorted(by_lane[index].pictures.items())
            ],
            finish_reason="stop",
            recipe=lane.recipe.to_json(),
            metrics={
                "pictures": [
                    {
                        "index": each.index,
                        "difference": each.difference,
                        "ssim": each.ssim,
                        "colourfulness": each.colourfulness,
                        "sharpness": each.sharpness,
                    }
                    for each in measured[index]
                ],
                "first_picture_ms": by_lane[index].first_ms,
                "kept": by_lane[index].kept,
            },
        )
        for index, lane in enumerate(opened.request.lanes)
    ]
    return PictureResult(
        model=model.id,
        revision=model.revision,
        dtype=model.dtype,
        device=model.device,
        recipe=recipe.to_json(),
        seed=opened.seed,
        lanes=lanes,
        manifest=manifest(model.layout, recipe, shapes, model.equalizer.known_deltas),
        timing={**opened.timing, "total_s": opened.seconds},
        checksum=_checksum(opened),
        versions={
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "imfine": VERSION,
            "threads": str(torch.get_num_threads()),
        },
        image=opened.sampling.to_json(),
    )


def _checksum(opened: Opened) -> dict[str, Any]:
    """The live weights' fingerprint after the original's last picture, beside the one taken when they were
    loaded. `live` is None where no lane is the original's."""
    loaded = _together(opened.model.fingerprints)
    prints = [
        picture.fingerprint
        for series in opened.series
        if series.recipe.is_neutral
        for picture in series.pictures.values()
    ]
    live = prints[-1] if prints else None
    return {
        "weights": opened.model.checksum,
        "loaded": loaded,
        "live": live,
        "verified": bool(prints) and all(each == loaded for each in prints),
    }
