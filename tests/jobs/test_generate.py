"""A run's request as core takes it, and pictures by the starter that ships, in a loop of this process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from imfine.core.events import LaneEnd, Phase, Picture, PictureResult, Preview
from imfine.core.image.generate import ImageRequest, ImageSampling
from imfine.core.lanes import Lane
from imfine.core.models import catalog
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.prompts import Message
from imfine.core.text.request import TextRequest
from imfine.errors import ImfineError, Invalid
from imfine.jobs.client import Claim
from imfine.jobs.generate import Model, core_request, submit
from imfine.jobs.live import Left, Live, Submission
from imfine.settings import Settings

BOTH = [{"name": "base", "recipe": {}}, {"name": "tuned", "recipe": {"attn": 1.2}}]
LANES = (Lane("base"), Lane("tuned", Recipe(attn=1.2)))
STARTER = "emoji-diffusion"


def asked(**image: Any) -> dict[str, Any]:
    settled = {"steps": 3, "guidance": 3.0, "width": 64, "height": 64, "seed": 5, **image}
    text: dict[str, Any] = {"sampling": {}, "messages": None, "top": 0}
    return {"model": STARTER, "prompt": "a red apple", "image": settled, "lanes": BOTH, **text}


def test_what_is_asked_of_either_kind() -> None:
    assert core_request(asked(count=2)) == ImageRequest(
        LANES,
        "a red apple",
        ImageSampling(steps=3, guidance=3.0, width=64, height=64, seed=5, count=2),
    )
    text: dict[str, Any] = {
        "prompt": "Hi",
        "messages": None,
        "sampling": {"seed": 3},
        "lanes": BOTH,
        "top": 5,
    }
    assert core_request({**text, "image": None}) == core_request(text)  # runs from before there were pictures
    assert core_request(text) == TextRequest(LANES, "Hi", Sampling(seed=3), 5)
    turns = {**text, "prompt": None, "messages": [{"role": "user", "content": "Hi"}]}
    assert core_request(turns).prompt == (Message("user", "Hi"),)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def live(at: Settings) -> Live:
    live = Live(4 << 30)
    whole(submit(live, Claim("warm", "generate", 1, asked(steps=1)), at))
    return live


def whole(submission: Submission) -> list[Any]:
    events: list[Any] = []
    while not events or not isinstance(events[-1], PictureResult):
        event = submission.get(60)
        assert event is not None, events
        events.append(event)
    return events


def ended(submission: Submission) -> tuple[list[Any], BaseException]:
    """What came, and what ended it."""
    events: list[Any] = []
    try:
        while True:
            events.append(submission.get(10))
    except (Left, ImfineError) as end:
        return events, end


def until(submission: Submission, kind: type) -> Any:
    for _ in range(1000):
        event = submission.get(10)
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


def test_pictures_come_through_a_loop(live: Live, at: Settings) -> None:
    events = whole(submit(live, Claim("a", "generate", 1, asked()), at))
    assert [event.lane for event in events if isinstance(event, Picture)] == [0, 1]
    steps = [event.step for event in events if isinstance(event, Preview) and event.lane == 1]
    assert steps == [1, 2, 3]
    assert live.warm == [STARTER]


def test_a_run_that_is_cancelled_leaves_after_the_step_and_the_next_begins(live: Live, at: Settings) -> None:
    first = submit(live, Claim("a", "generate", 1, asked(steps=150, seed=6)), at)
    until(first, Preview)
    second = submit(live, Claim("b", "generate", 1, asked(seed=6)), at)
    waits = until(second, Phase)
    assert (waits.phase, waits.done, waits.unit) == ("waiting", 1, "runs")
    began = time.monotonic()
    first.cancel()
    events, end = ended(first)
    assert isinstance(end, Left)
    ends = [event for event in events if isinstance(event, LaneEnd)]
    assert time.monotonic() - began < 3
    assert [(end.lane, end.finish_reason) for end in ends] == [(0, "cancelled"), (1, "cancelled")]
    assert len([event for event in whole(second) if isinstance(event, Picture)]) == 2


def test_a_request_that_cannot_be_painted_ends_nobody_else(live: Live, at: Settings) -> None:
    good = submit(live, Claim("a", "generate", 1, asked(steps=30, seed=8)), at)
    bad = submit(live, Claim("b", "generate", 1, {**asked(), "prompt": " "}), at)
    assert isinstance(whole(good)[-1], PictureResult)
    assert isinstance(ended(bad)[1], Invalid)


def test_what_a_model_needs_is_known_before_it_is_loaded(at: Settings) -> None:
    source = Model(STARTER, None, None, at)
    parameters = catalog.find(STARTER, at, any_folder=False).parameters
    assert parameters is not None
    assert 2 * parameters < source.memory() < 4 << 30
    assert Model(STARTER, None, "float32", at).memory() > Model(STARTER, None, "bfloat16", at).memory()
    assert source == Model(STARTER, None, None, Settings(home=Path("/elsewhere")))
