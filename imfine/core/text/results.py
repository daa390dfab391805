"""The end of a request: measures beside each lane, then the result that is kept with the run.

A generator that does one short piece of work between two events, so that the batch goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
import transformers

from imfine.core.events import Event, LaneResult, Measures, Phase, Result
from imfine.core.manifest import manifest
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.quantised import shapes_in
from imfine.core.recipe import Recipe
from imfine.core.text.answers import Answer
from imfine.core.text.cache import BrokenOff
from imfine.core.text.measures import measure
from imfine.core.text.opened import Opened
from imfine.version import VERSION

if TYPE_CHECKING:
    from imfine.core.models.load import LoadedModel


def finish(model: LoadedModel, opened: Opened) -> Iterator[Event]:
    """Phase and Measures for each lane, last the Result. All of the request's answers have ended.

    A measuring that is broken off is begun again after the next event, with what was measured before.
    """
    measured: list[Measures] = []
    for lane, answer in _base_first(opened.answers):
        measures = None
        while measures is None:
            yield Phase("measuring", done=len(measured), total=len(opened.answers), unit="lanes")
            with suppress(BrokenOff):
                measures = measure(model, lane, answer, _base_of(opened.answers, answer))
        measured.append(measures)
        yield measures
    measured.sort(key=lambda measures: measures.lane)
    yield _result(model, opened, measured)


def _base_first(answers: Sequence[Answer]) -> list[tuple[int, Answer]]:
    """What is known of the original's answer need not be computed for one that says the same."""
    return sorted(enumerate(answers), key=lambda each: not each[1].recipe.is_neutral)


def _base_of(answers: Sequence[Answer], answer: Answer) -> Answer | None:
    """The original's answer to the same prompt, where the request has one."""
    originals = (a for a in answers if a.recipe.is_neutral and a.prompt_ids == answer.prompt_ids)
    return next(originals, None)


def _result(model: LoadedModel, opened: Opened, measured: Sequence[Measures]) -> Result:
    checksum = _checksum(model, opened.answers)
    recipe = next((answer.recipe for answer in opened.answers if not answer.recipe.is_neutral), Recipe())
    shapes = shapes_in(model.module, transposed=model.layout.transposed)
    lanes = [
        LaneResult(
            name=lane.name,
            text=answer.text,
            token_ids=list(answer.ids),
            finish_reason=str(answer.finish_reason),
            recipe=answer.recipe.to_json(),
            metrics=_metrics(opened, answer, measures),
        )
        for lane, answer, measures in zip(opened.request.lanes, opened.answers, measured, strict=True)
    ]
    return Result(
        model=model.id,
        revision=model.revision,
        dtype=model.dtype,
        device=model.device,
        recipe=recipe.to_json(),
        seed=opened.seed,
        lanes=lanes,
        manifest=manifest(model.layout, recipe, shapes, model.equalizer.known_deltas),
        timing=opened.timing(),
        checksum=checksum,
        versions={
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "imfine": VERSION,
            "threads": str(torch.get_num_threads()),
        },
    )


def _metrics(opened: Opened, answer: Answer, measures: Measures) -> dict[str, Any]:
    metrics = asdict(measures)
    del metrics["type"], metrics["lane"]
    return metrics | {
        "tokens": len(answer.ids),
        "tokens_per_s": answer.tokens_per_s,
        "first_token_ms": opened.first_ms(answer),
        "kept": answer.kept,
        "prompt_tokens": len(answer.prompt_ids),
    }


def _checksum(model: LoadedModel, answers: Sequence[Answer]) -> dict[str, Any]:
    """The live weights' fingerprint after the original's answer, beside the one taken when they were loaded.
    `live` is None where no lane is the original's."""
    originals = [answer for answer in answers if answer.recipe.is_neutral]
    if any(answer.weights_after is None for answer in originals):
        live = fingerprint(model.module)
        for answer in originals:
            answer.weights_after = live
    live_now = originals[0].weights_after if originals else None
    return {
        "weights": model.checksum,
        "loaded": model.fingerprint,
        "live": live_now,
        "verified": live_now == model.fingerprint,
    }
