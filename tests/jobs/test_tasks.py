"""How a run ends, whatever happens to it."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from celery.exceptions import Reject
from stub_server import RUN, Stub

from imfine.core.events import LaneEnd, Phase, Picture, Preview, Result, Tokens
from imfine.errors import PromptTooLong
from imfine.jobs.client import Claim, Client, Terms
from imfine.jobs.live import Left, Submission
from imfine.jobs.tasks import Runner, as_imfine_error

RESULT = Result("m", "", "float32", "cpu", {}, 0, [], {}, {}, {}, {})
TOKENS = Tokens(0, 0, [1], ["a"])


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


class Work:
    """What core does with a run, told by the test."""

    def __init__(self, *events: object) -> None:
        self.events = events
        self.loop = SimpleNamespace(progress_at=time.monotonic(), wake=lambda run: None)
        self.submission: Submission | None = None

    def __call__(self, claim: Claim) -> Submission:
        self.submission = Submission(claim.run, claim.request, self.loop)  # type: ignore[arg-type]
        for event in self.events:
            if isinstance(event, Exception) and not isinstance(event, Left | PromptTooLong | MemoryError):
                raise event
            self.submission.put(event)  # type: ignore[arg-type]
        return self.submission


def runner(stub: Stub, work: Callable[[Claim], Submission]) -> Runner:
    stopping = threading.Event()
    return Runner(Client(stub.url, "secret", "w", stopping), {"generate": work}, stopping)


def finish(stub: Stub) -> dict:
    [found] = stub.posted("finish")
    return found


def test_succeeded(stub):
    work = Work(Phase("loading"), TOKENS, RESULT)
    runner(stub, work).run(RUN, redelivered=False)
    assert finish(stub)["state"] == "succeeded"
    assert finish(stub)["result"]["type"] == "result"
    kinds = [event["type"] for body in stub.posted("events") for event in body["events"]]
    assert kinds == ["phase", "tokens"]
    assert work.submission.cancelled.is_set()  # out of the loop, in any case


def test_not_to_be_had(stub):
    stub.answers["claim"] = [(409, {})]
    runner(stub, Work(RuntimeError("never asked"))).run(RUN, redelivered=True)
    assert [verb for verb, _ in stub.posts] == ["claim"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PromptTooLong("too long", field="prompt"), "prompt_too_long"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "out_of_memory"),
        (RuntimeError("CUDA out of memory"), "out_of_memory"),
        (KeyError("layers"), "internal"),
    ],
)
def test_failed_with_its_reason(stub, error, code):
    runner(stub, Work(TOKENS, error)).run(RUN, redelivered=False)
    assert finish(stub)["state"] == "failed"
    assert finish(stub)["error"]["code"] == code


def test_a_kind_that_this_worker_does_not_know(stub):
    stub.claim["kind"] = "train"
    runner(stub, Work()).run(RUN, redelivered=False)
    assert finish(stub)["error"]["field"] == "kind"
    assert "generate" in finish(stub)["error"]["remedy"]


def test_cancelled_with_what_it_still_had_to_say(stub):
    stub.cancel = True
    runner(stub, Work(TOKENS, None, LaneEnd(0, "cancelled", 1, 1.0, 1.0), Left())).run(RUN, redelivered=False)
    assert finish(stub)["state"] == "cancelled"
    kinds = [event["type"] for body in stub.posted("events") for event in body["events"]]
    assert kinds == ["tokens", "lane_end"]


def test_cancelled_while_its_pictures_are_uploaded(stub):
    """The work was done; but a result must not name pictures that the server does not have."""
    stub.slow["upload"] = 0.3
    files = [bytes([i]) for i in range(6)]
    pictures = [Picture(0, i, 7, 8, 8, hashlib.sha256(f).hexdigest(), 1, f) for i, f in enumerate(files)]
    work = runner(stub, Work(*pictures, RESULT))
    work.terms = Terms(heartbeat_s=0.05)
    threading.Timer(0.4, lambda: setattr(stub, "cancel", True)).start()
    work.run(RUN, redelivered=False)
    assert finish(stub)["state"] == "cancelled"
    assert "result" not in finish(stub)
    told = [event["sha256"] for body in stub.posted("events") for event in body["events"]]
    assert told == [body["sha256"] for body in stub.posted("upload")]
    assert 1 <= len(told) < 6


def test_previews_do_not_pile_up_behind_a_slow_server(stub):
    """A step takes 10 ms, a post 200: the picture waits for the post under way, not for 40 previews."""
    stub.slow["events"] = 0.2
    work = Work()

    def paint() -> None:
        for step in range(1, 41):
            time.sleep(0.01)
            work.submission.put(Phase("working", step, 40, "steps"))
            work.submission.put(Preview(0, 0, step, 40, "image/png", "AAAA"))
        painted.append(time.monotonic())
        work.submission.put(Picture(0, 0, 7, 8, 8, hashlib.sha256(b"p").hexdigest(), 1, b"p"))
        work.submission.put(RESULT)

    def begin(claim: Claim) -> Submission:
        submission = work(claim)
        threading.Thread(target=paint).start()
        return submission

    painted: list[float] = []
    runner(stub, begin).run(RUN, redelivered=False)
    assert time.monotonic() - painted[0] < 2  # not 40 × 0.2
    posts = stub.posted("events")
    assert len(posts) < 20
    steps = [event["step"] for body in posts for event in body["events"] if event["type"] == "preview"]
    assert steps == sorted(set(steps))
    assert posts[-1]["events"][-1]["type"] == "picture"


def test_gone(stub):
    stub.answers["events"] = [(409, {})]
    runner(stub, Work(TOKENS)).run(RUN, redelivered=False)
    assert stub.posted("finish") == stub.posted("release") == []


def test_given_back_when_the_worker_ends(stub):
    work = runner(stub, Work(TOKENS))
    threading.Timer(0.2, work.stopping.set).start()
    work.run(RUN, redelivered=False)
    [released] = stub.posted("release")
    assert released["attempt"] == 1
    assert stub.posted("finish") == []


def test_a_worker_that_ends_takes_nothing_more(stub):
    work = runner(stub, Work(TOKENS))
    work.stopping.set()
    with pytest.raises(Reject):
        work.run(RUN, redelivered=False)
    assert stub.posts == []


def test_the_message_goes_back_when_the_server_is_away_and_the_worker_ends(stub):
    work = runner(stub, Work(TOKENS))
    stub.stop()
    work.stopping.set()
    work.stopping.clear()
    threading.Timer(0.2, work.stopping.set).start()
    with pytest.raises(Reject) as rejected:
        work.run(RUN, redelivered=False)
    assert rejected.value.requeue


def test_a_message_that_comes_again_to_the_worker_that_has_the_run(stub):
    work = runner(stub, Work(TOKENS))
    first = threading.Thread(target=lambda: work.run(RUN, redelivered=False))
    first.start()
    until = time.monotonic() + 30
    while not stub.posted("events"):
        assert time.monotonic() < until
        time.sleep(0.01)
    work.run(RUN, redelivered=True)
    assert len(stub.posted("claim")) == 1
    stub.cancel = True
    first.join(5)
    assert not first.is_alive()


@pytest.mark.parametrize("run_id", ["../x", "", "0" * 25, "A" * 26, "0" * 26 + "\n", 7, None])
def test_a_message_that_names_no_run(stub, run_id):
    runner(stub, Work()).run(run_id, redelivered=False)
    assert stub.posts == []


def test_nothing_is_claimed_before_the_worker_is_prepared(stub):
    seen = []
    work = runner(stub, Work(RESULT))
    work.prepare = lambda run: seen.append((run, len(stub.posts)))
    work.run(RUN, redelivered=False)
    assert seen == [(RUN, 0)]


def test_an_unknown_error_names_itself():
    assert as_imfine_error(ValueError("odd")).message == "ValueError: odd"
