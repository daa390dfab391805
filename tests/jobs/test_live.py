"""A decode loop lets runs join and leave, tells those that wait, and outlives what goes wrong in one."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from imfine.core.events import LaneEnd, Phase, Result, Tokens
from imfine.errors import Invalid
from imfine.jobs.live import Left, Live, Submission

RESULT = Result("m", "", "float32", "cpu", {}, 0, [], {}, {}, {}, {})


@dataclass
class Request:
    tokens: int = 3
    lanes: list[str] = field(default_factory=lambda: ["base", "tuned"])
    wrong: Exception | None = None
    delta: int = 0  # bytes of one that it names


class Decoder:
    """Counts instead of thinking: token i of a lane is i. `gate` lets a test hold it."""

    def __init__(self, source: "Source") -> None:
        self.source = source
        self.open: dict[str, tuple[Request, int]] = {}
        self.delta_bytes = 0

    @property
    def rows(self) -> int:
        return sum(len(request.lanes) for request, _ in self.open.values())

    @property
    def free_rows(self) -> int:
        return self.source.max_rows - self.rows

    def prepare(self, request: Request) -> Iterator[Phase]:
        if request.delta:
            yield Phase("loading", request.delta, request.delta)
            self.delta_bytes += request.delta

    def join(self, request_id: str, request: Request) -> None:
        if isinstance(request.wrong, Invalid):
            raise request.wrong
        self.open[request_id] = (request, 0)

    def leave(self, request_id: str):
        request, said = self.open.pop(request_id)
        return [LaneEnd(i, "cancelled", said, 1.0, 1.0) for i in range(len(request.lanes))]

    def step(self, breaks_off):
        until = time.monotonic() + 30
        while not self.source.gate.wait(0.001):
            assert time.monotonic() < until
            if breaks_off(None):
                self.source.broken_off += 1
                return []
        time.sleep(0.001)
        out = []
        for request_id, (request, said) in list(self.open.items()):
            if request.wrong is not None:
                raise request.wrong
            out += [(request_id, Tokens(i, said, [said], [str(said)])) for i in range(len(request.lanes))]
            self.open[request_id] = (request, said + 1)
            if said + 1 == request.tokens:
                del self.open[request_id]
                out.append((request_id, RESULT))
        return out


@dataclass(eq=False)
class Source:
    name: str
    bytes: int = 10
    max_rows: int = 4
    gate: threading.Event = field(default_factory=threading.Event)
    opened: int = 0
    broken_off: int = 0
    broken: Exception | None = None
    may_open: threading.Event = field(default_factory=threading.Event)

    def memory(self) -> int:
        if self.broken:
            raise self.broken
        return self.bytes

    def open(self) -> Iterator[Phase | Decoder]:
        assert self.may_open.wait(10)
        self.opened += 1
        yield Phase("loading", 0, self.bytes)
        yield Phase("loading", self.bytes, self.bytes)
        yield Decoder(self)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source("m")
    source.gate.set()
    source.may_open.set()
    yield source
    source.gate.set()


def everything(submission: Submission) -> list:
    events = []
    while not events or not isinstance(events[-1], Result):
        event = submission.get(60)
        assert event is not None, events
        events.append(event)
    return events


def ended(submission: Submission) -> tuple[list, BaseException]:
    events: list = []
    try:
        while True:
            event = submission.get(60)
            assert event is not None, events
            events.append(event)
    except (Left, Invalid, RuntimeError) as end:
        return events, end


def text(events: list, lane: int) -> str:
    return "".join("".join(e.texts) for e in events if isinstance(e, Tokens) and e.lane == lane)


def wait_for(condition) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_runs_share_a_model_that_is_opened_once(source):
    live = Live(100)
    first = live.submit(source, "a", Request(tokens=50))
    second = live.submit(source, "b", Request(tokens=5))
    heard = everything(second)
    assert text(heard, 0) == text(heard, 1) == "01234"
    assert text(everything(first), 1) == "".join(map(str, range(50)))
    assert source.opened == 1
    assert live.warm == ["m"]


def test_loading_is_told_to_whoever_waits(source):
    source.gate.clear()
    submission = Live(100).submit(source, "a", Request())
    source.gate.set()
    phases = [e for e in everything(submission) if isinstance(e, Phase)]
    assert [p.phase for p in phases] == ["loading", "loading"]


def test_without_free_rows_a_run_waits_its_turn_and_is_told(source):
    live = Live(100)
    source.gate.clear()
    source.may_open.clear()
    runs = [live.submit(source, name, Request(tokens=2)) for name in "abcd"]
    source.may_open.set()  # all four are there when the loop looks
    wait_for(lambda: runs[3].ahead == 3)
    source.gate.set()
    heard = {name: everything(run) for name, run in zip("abcd", runs, strict=True)}
    waits = {
        name: [e.done for e in events if isinstance(e, Phase) and e.phase == "waiting"]
        for name, events in heard.items()
    }
    assert waits["a"] == waits["b"] == []
    assert waits["c"][0] == 2
    assert waits["d"] == sorted(waits["d"], reverse=True)
    assert waits["d"][0] == 3


def test_a_run_wider_than_the_batch_is_taken_alone(source):
    live = Live(100)
    wide = live.submit(source, "w", Request(lanes=["x"] * 9))
    assert text(everything(wide), 8) == "012"


def test_a_cancelled_run_leaves_at_the_next_token_and_its_neighbour_goes_on(source):
    live = Live(100)
    leaving = live.submit(source, "a", Request(tokens=100_000))
    staying = live.submit(source, "b", Request(tokens=200))
    wait_for(lambda: isinstance(leaving.get(1), Tokens))
    leaving.cancel()
    events, end = ended(leaving)
    assert isinstance(end, Left)
    assert [e.finish_reason for e in events if isinstance(e, LaneEnd)] == ["cancelled", "cancelled"]
    assert len(text(everything(staying), 0)) > 200


def test_a_waiting_run_can_leave_too(source):
    live = Live(100)
    source.gate.clear()
    for name in "ab":
        live.submit(source, name, Request())
    waiting = live.submit(source, "c", Request())
    waiting.cancel()
    source.gate.set()
    events, end = ended(waiting)
    assert isinstance(end, Left)
    assert not any(isinstance(event, Tokens) for event in events)


def test_a_bad_request_ends_nobody_else(source):
    live = Live(100)
    good = live.submit(source, "a", Request(tokens=100))
    bad = live.submit(source, "b", Request(wrong=Invalid("no", field="prompt")))
    assert isinstance(ended(bad)[1], Invalid)
    assert len(everything(good)) > 100


def test_when_a_step_fails_all_hear_of_it_and_the_next_run_opens_the_model_again(source):
    live = Live(100)
    bad = live.submit(source, "a", Request(wrong=RuntimeError("kernel")))
    assert str(ended(bad)[1]) == "kernel"
    everything(live.submit(source, "b", Request()))
    assert source.opened == 2


def test_a_model_that_cannot_be_opened_says_so_each_time(source):
    source.broken = Invalid("broken model")
    live = Live(100)
    for name in "ab":
        with pytest.raises(Invalid, match="broken model"):
            live.submit(source, name, Request()).get(5)
    assert live.warm == []


def test_the_longest_idle_model_goes_when_memory_is_wanted(source):
    live = Live(25)
    sources = [
        source,
        Source("n", gate=source.gate, may_open=source.may_open),
        Source("o", gate=source.gate, may_open=source.may_open),
    ]
    for each in sources:
        everything(live.submit(each, each.name, Request()))
        time.sleep(0.01)
    wait_for(lambda: live.warm == ["n", "o"])
    everything(live.submit(source, "again", Request()))
    assert source.opened == 2


def test_a_delta_counts_as_memory_and_idle_models_go_for_it(source):
    live = Live(25)
    other = Source("n", gate=source.gate, may_open=source.may_open)
    for each in (other, source):
        everything(live.submit(each, each.name, Request()))
    assert live.warm == ["m", "n"]
    events = everything(live.submit(source, "with-delta", Request(delta=6)))
    assert events[0] == Phase("loading", 6, 6)
    wait_for(lambda: live.warm == ["m"])
    everything(live.submit(source, "again", Request()))
    assert source.opened == 1


def test_a_model_that_finds_no_room_waits_for_the_busy_one_and_can_be_given_up(source):
    live = Live(15)
    other = Source("n", gate=source.gate, may_open=source.may_open)
    source.gate.clear()
    busy = live.submit(source, "a", Request(tokens=5))
    wait_for(lambda: live.warm == ["m"])
    waiting, leaving = live.submit(other, "b", Request()), live.submit(other, "c", Request())
    assert waiting.get(60).phase == "waiting"
    leaving.cancel()
    assert isinstance(ended(leaving)[1], Left)
    source.gate.set()
    everything(busy)
    everything(waiting)
    assert live.warm == ["n"]


def test_who_comes_or_leaves_does_not_wait_for_the_step_that_goes_on(source):
    live = Live(100)
    source.gate.clear()
    first = live.submit(source, "a", Request())
    wait_for(lambda: live.warm == ["m"])
    second = live.submit(source, "b", Request())
    wait_for(lambda: source.broken_off == 1)
    second.cancel()
    assert isinstance(ended(second)[1], Left)  # though no step was ever made
    first.cancel()
    assert isinstance(ended(first)[1], Left)
