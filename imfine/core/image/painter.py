"""One request of a warm image model at a time, a UNet step a step; the rest wait. One owner thread.

    painter.join("a", request)          checks; raises what is wrong with the request
    for who, event in painter.step():   one UNet call, or one decoder call, or one lane's measures
    painter.leave("a")                  at any step boundary

A step yields the request's events in order: notices, kept pictures, phase and previews … pictures and
lane_end … picture_measures … result. Where a request goes wrong an ImfineError stands in the place of its
result, and the next one begins. Fulfils core.lanes' Batch. Knows no thread and no queue.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from imfine.core.deltas.loaded import load_deltas
from imfine.core.events import Event, Phase, Preview, Result
from imfine.core.image import png
from imfine.core.image.decode import decode
from imfine.core.image.denoise import Denoising, Row
from imfine.core.image.kept import Finished
from imfine.core.image.model import ImageModel
from imfine.core.image.opened import Opened, Series, open_request
from imfine.core.image.preview import colour_map, preview
from imfine.core.image.request import ImageRequest
from imfine.core.image.results import finish, live_fingerprint
from imfine.core.lanes import BreaksOff, never
from imfine.core.memory import decoded_at_once
from imfine.errors import ImfineError, OutOfMemory

Events = list[Event]
MAX_ROWS = 1  # requests that wait do so in the loop, where they are told how many are ahead


class Painter:
    def __init__(self, model: ImageModel) -> None:
        self.model = model
        self._work: deque[tuple[Opened, Iterator[Events]]] = deque()

    @property
    def rows(self) -> int:
        """Lanes of the request at work, and of those that wait."""
        return sum(len(opened.request.lanes) for opened, _ in self._work)

    @property
    def free_rows(self) -> int:
        """None while a request is at work: it has the whole batch."""
        return 0 if self._work else MAX_ROWS

    @property
    def busy(self) -> bool:
        return bool(self._work)

    @property
    def delta_bytes(self) -> int:
        return self.model.equalizer.delta_bytes

    def prepare(self, request: ImageRequest) -> Iterator[Phase]:
        """Reads the deltas that the request's recipes name, and the model does not have in memory yet.

        Raises: RecipeError (no such delta), AdapterError, ModelBroken, OutOfMemory.
        """
        lanes = [lane for opened, _ in self._work for lane in opened.request.lanes]
        in_use = {id for lane in lanes for id in lane.recipe.named_deltas}
        yield from load_deltas(self.model, [lane.recipe for lane in request.lanes], in_use)

    def join(self, request_id: str, request: ImageRequest) -> None:
        """Takes a request in; its first events come with the next step that is its own.

        Raises:
            Invalid: an empty prompt, too many lanes, a size that the model cannot draw.
            RecipeError: a recipe that does not fit the model.
            OutOfMemory: so many pictures of this size do not fit.
        """
        opened, events = open_request(self.model, request_id, request)
        self._work.append((opened, _painting(opened, events)))

    @torch.inference_mode()
    def step(self, breaks_off: BreaksOff = never) -> list[tuple[str, Event | ImfineError]]:
        """What came since the last step; an empty list where there was nothing to do.

        A step is carried through: `breaks_off` is not asked."""
        if not self._work:
            return []
        opened, painting = self._work[0]
        try:
            events = next(painting, None)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error) and not isinstance(error, MemoryError):
                raise
            return self._fail(_out_of_memory(opened, error))
        except ImfineError as error:
            return self._fail(error)
        assert events is not None, "a request ends with its result"
        if isinstance(events[-1], Result):
            self._work.popleft()
        return [(opened.id, event) for event in events]

    def leave(self, request_id: str) -> list[Event]:
        """Ends a request where it stands. Returns its unfinished lanes' ends."""
        events: list[Event] = []
        for opened, painting in [each for each in self._work if each[0].id == request_id]:
            self._work.remove((opened, painting))
            for series in opened.series:
                events += opened.ends(series, "cancelled")
        return events

    def _fail(self, error: ImfineError) -> list[tuple[str, Event | ImfineError]]:
        opened, _ = self._work.popleft()
        return [(opened.id, error.with_traceback(None))]  # frames would keep the latents in memory


def _painting(opened: Opened, told: Events) -> Iterator[Events]:
    """A request from its first event to its result, one piece of work between two yields."""
    if told:
        yield told
    if todo := opened.missing():
        yield from _painted(opened, todo)
    for event in finish(opened):
        yield [event]


def _painted(opened: Opened, todo: Sequence[tuple[Series, int]]) -> Iterator[Events]:
    model, sampling = opened.model, opened.sampling
    start = opened.seconds
    rows = [Row(series.recipe, series.prompt, opened.seed_of(index)) for series, index in todo]
    work = Denoising(model, rows, sampling)
    opened.timing["encode_s"] = opened.seconds - start
    colours = colour_map(model) if sampling.previews else None

    start = opened.seconds
    while work.done < work.total:
        estimate = work.step(preview=colours is not None)
        events: Events = [Phase("working", done=work.done, total=work.total, unit="steps")]
        if estimate is not None and colours is not None:
            for (series, index), latents in zip(todo, estimate, strict=True):
                seen = preview(latents, colours)
                events += [Preview(lane, index, work.done, work.total, *seen) for lane in series.lanes]
            opened.timing.setdefault("first_preview_ms", opened.seconds * 1e3)
        yield events
    opened.timing["paint_s"] = opened.seconds - start

    start = opened.seconds
    assert sampling.width is not None
    assert sampling.height is not None
    size = decoded_at_once(sampling.width, sampling.height)
    finished: list[tuple[Series, Finished]] = []
    for first in range(0, len(todo), size):
        some = todo[first : first + size]
        pixels = decode(model, work.latents[first : first + size], [series.recipe for series, _ in some])
        events = []
        for (series, index), each in zip(some, pixels, strict=True):
            data = png.write(each, opened.says(series, index))
            sha256 = hashlib.sha256(data).hexdigest()
            picture = Finished(index, opened.seed_of(index), each, data, sha256)
            finished.append((series, picture))
            events += opened.take(series, picture)
        yield events
    opened.timing["decode_s"] = opened.seconds - start
    _keep(opened, finished)


def _keep(opened: Opened, finished: Sequence[tuple[Series, Finished]]) -> None:
    """The original's pictures, with the proof that the weights are still as they were loaded."""
    originals = [(series, picture) for series, picture in finished if series.recipe.is_neutral]
    if not originals:
        return
    start = time.perf_counter()
    live = live_fingerprint(opened.model)
    for series, picture in originals:
        proven = replace(picture, fingerprint=live)
        series.pictures[picture.index] = proven
        key = opened.key(series, picture.index)
        assert key is not None
        opened.model.kept.pictures.keep(key, proven)
    opened.timing["fingerprint_s"] = time.perf_counter() - start


def _out_of_memory(opened: Opened, error: BaseException) -> OutOfMemory:
    return OutOfMemory(
        f"the memory ran out while {len(opened.missing())} pictures were painted",
        remedy="ask for fewer pictures or lanes, or smaller ones",
        field="image.count",
        value=opened.sampling.count,
        detail=str(error)[:200],
    )
