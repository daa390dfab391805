"""What core yields while it works: plain data, the same in Python, in the run's log and on the page.

Knows nothing of who listens. `lane` is the lane's index in the request. An event as JSON is its fields and
its `type`; the server adds `run`, `attempt` and its own id when it stores one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """Where the work is: nobody waits without seeing why. `done` of `total` counts `unit`s; None: not known.

    `waiting` is for free rows of the model's batch; `done` counts the runs that are ahead.
    """

    phase: Literal["waiting", "downloading", "loading", "working", "measuring", "saving"]
    done: int = 0
    total: int | None = None
    unit: Literal["bytes", "tokens", "steps", "lanes", "runs", "parts"] = "bytes"
    type: Literal["phase"] = "phase"


def last_of(steps: Iterator[Phase | T]) -> Generator[Phase, None, T]:
    """Hands phases on, and returns what came last: `model = yield from last_of(read_module(…))`."""
    last: list[T] = []
    for each in steps:
        if isinstance(each, Phase):
            yield each
        else:
            last = [each]
    assert last, "what was worked for comes last"
    return last[0]


@dataclass(frozen=True)
class Candidate:
    """One of the likeliest tokens at a position; `p` is its probability after softmax at temperature 1."""

    id: int
    text: str
    p: float


@dataclass(frozen=True)
class Tokens:
    """Tokens `start`, `start + 1`, … of a lane. `texts[i]` is what token i adds to the text (may be "" while
    a character is not whole). `top[i]` holds the likeliest candidates, where the request asked for them."""

    lane: int
    start: int
    ids: list[int]
    texts: list[str]
    top: list[list[Candidate]] | None = None
    type: Literal["tokens"] = "tokens"


@dataclass(frozen=True)
class LaneEnd:
    """A lane has its last token, or its last picture: then `tokens` counts pictures, and `first_token_ms` is
    the time to the first. Its measures follow."""

    lane: int
    finish_reason: Literal["stop", "length", "context", "cancelled"]
    tokens: int
    tokens_per_s: float
    first_token_ms: float
    type: Literal["lane_end"] = "lane_end"


@dataclass(frozen=True)
class Measures:
    """What can be told of a finished lane beside the base lane. Not a judgement: see each field.

    expected_by_original  mean log-probability a token under the original model (nats, ≤ 0)
    perplexity_original   exp(−expected_by_original)
    reference_loss        the lane's model on a reference text that neither lane wrote (nats a token)
    distinct_1, distinct_2  share of different words, of different word pairs (0–1)
    repetition            1 − distinct_2
    first_change          index of the first token that differs from the base lane's; None: no token changed
    """

    lane: int
    expected_by_original: float | None
    perplexity_original: float | None
    reference_loss: float | None
    distinct_1: float | None
    distinct_2: float | None
    repetition: float | None
    first_change: int | None
    type: Literal["measures"] = "measures"


@dataclass(frozen=True)
class Preview:
    """Picture `index` of a lane so far, after `step` of `steps`: small, never stored. `data` is base64."""

    lane: int
    index: int
    step: int
    steps: int
    mime: Literal["image/png", "image/webp"]
    data: str
    type: Literal["preview"] = "preview"


@dataclass(frozen=True)
class Picture:
    """Picture `index` of a lane, whole. The bytes travel beside the event; its JSON names their address."""

    lane: int
    index: int
    seed: int
    width: int
    height: int
    sha256: str  # of the PNG file
    size: int  # bytes
    png: bytes = field(repr=False)
    type: Literal["picture"] = "picture"

    @property
    def url(self) -> str:
        return artifact_url(self.sha256)


@dataclass(frozen=True)
class PictureMeasures:
    """What can be told of a picture, beside the base lane's of the same index. Not a judgement.

    difference, ssim  beside the base lane's picture; None for the base lane, and where there is none
    colourfulness, sharpness  of the picture alone
    (what each is and is not: core/image/measures.py)
    """

    lane: int
    index: int
    difference: float | None
    ssim: float | None
    colourfulness: float
    sharpness: float
    type: Literal["picture_measures"] = "picture_measures"


@dataclass(frozen=True)
class Notice:
    """Something the person should know though the run goes on, e.g. `language`, `context_overflow`,
    `prompt_cut`."""

    code: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)
    type: Literal["notice"] = "notice"


@dataclass(frozen=True)
class LaneResult:
    name: str
    text: str
    token_ids: list[int]
    finish_reason: str
    recipe: dict[str, Any]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The whole answer, kept with the run. `checksum` proves the base lane: the warm weights' fingerprint
    after the answer beside the one taken when they were loaded."""

    model: str
    revision: str
    dtype: str
    device: str
    recipe: dict[str, Any]
    seed: int
    lanes: list[LaneResult]
    manifest: dict[str, Any]
    timing: dict[str, float]
    checksum: dict[str, Any]
    versions: dict[str, str]
    type: Literal["result"] = "result"


@dataclass(frozen=True)
class PaintedLane:
    """`pictures`: [{index, seed, sha256, width, height}]."""

    name: str
    pictures: list[dict[str, Any]]
    finish_reason: str
    recipe: dict[str, Any]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class PictureResult(Result):
    """A Result whose lanes are pictures. `image` holds the settings as used, nothing left open."""

    lanes: list[PaintedLane]  # type: ignore[assignment]
    image: dict[str, Any] = field(default_factory=dict)


Event = Phase | Tokens | LaneEnd | Measures | Preview | Picture | PictureMeasures | Notice | Result


def artifact_url(sha256: str) -> str:
    """Where the server has a picture."""
    return f"/api/artifacts/{sha256}.png"


def to_json(event: Event) -> dict[str, Any]:
    if isinstance(event, Picture):  # asdict would copy the bytes
        told = {f.name: getattr(event, f.name) for f in fields(event) if f.name != "png"}
        return told | {"url": event.url}
    return asdict(event)
