"""What is reported: the first event at once, then gathered; a heartbeat whatever the work does."""

import threading
import time
from collections.abc import Iterator

import pytest
from stub_server import RUN, Stub

from imfine.core.events import LaneEnd, Phase, Tokens
from imfine.errors import Invalid
from imfine.jobs.client import Claim, Client, Gone, Terms
from imfine.jobs.reporter import Reporter

CLAIM = Claim(RUN, "generate", 3, {})


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def report(stub: Stub) -> Iterator[Reporter]:
    client = Client(stub.url, "secret", "w", threading.Event())
    with Reporter(client, CLAIM, Terms(heartbeat_s=0.05, flush_ms=60)) as report:
        yield report


def token(lane: int, at: int) -> Tokens:
    return Tokens(lane, at, [at], [f"{at} "], [[]])


def test_the_first_goes_at_once_and_the_rest_together(report, stub):
    report.add(token(0, 0))
    report.flush_if_due()
    assert len(stub.posted("events")) == 1
    for at in range(1, 4):
        report.add(token(0, at))
        report.add(token(1, at - 1))
    report.add(LaneEnd(0, "stop", 4, 1.0, 1.0))
    report.flush_if_due()
    assert len(stub.posted("events")) == 1
    assert 0 < report.due_in() < 0.06
    time.sleep(0.07)
    report.add(token(1, 3))
    report.flush_if_due()
    first, second = stub.posted("events")
    assert (first["attempt"], first["seq"], second["seq"]) == (3, 1, 2)
    assert [(e["type"], e.get("lane"), e.get("ids")) for e in second["events"]] == [
        ("tokens", 0, [1, 2, 3]),
        ("tokens", 1, [0, 1, 2, 3]),
        ("lane_end", 0, None),
    ]
    assert second["events"][0]["texts"] == ["1 ", "2 ", "3 "]
    assert second["events"][0]["top"] == [[], [], []]
    assert report.due_in() == float("inf")


def test_what_piled_up_goes_in_parts(report, stub):
    report.add(Phase("working"))
    report.flush_if_due()
    for done in range(1000):
        report.gathered.append(Phase("working", done))
    report.finish("succeeded", result={"type": "result"})
    sizes = [len(body["events"]) for body in stub.posted("events")]
    assert sizes == [1, 512, 488]
    [finish] = stub.posted("finish")
    assert (finish["seq"], finish["state"], finish["result"]) == (4, "succeeded", {"type": "result"})


def test_an_error_is_told_as_json(report, stub):
    report.finish("failed", error=Invalid("too long", field="prompt"))
    [finish] = stub.posted("finish")
    assert finish["error"]["code"] == "invalid"
    assert finish["error"]["field"] == "prompt"


def test_the_heart_beats_by_itself_and_brings_the_cancel(report, stub):
    time.sleep(0.2)
    assert len(stub.posted("heartbeat")) >= 2
    assert not report.cancelled.is_set()
    stub.cancel = True
    assert report.cancelled.wait(1)


def test_a_report_brings_the_cancel_too(report, stub):
    stub.cancel = True
    report.add(Phase("working"))
    report.flush_if_due()
    assert report.cancelled.is_set()


def test_the_heart_outlives_a_server_that_is_away_and_stops_when_the_run_is_gone(report, stub):
    stub.answers["heartbeat"] = [(503, {})] * 2 + [(200, {"cancel": False})] + [(409, {})]
    assert report.gone.wait(2)
    time.sleep(0.15)
    assert len(stub.posted("heartbeat")) == 4


def test_a_report_of_an_attempt_that_is_over_is_refused(report, stub):
    stub.answers["events"] = [(409, {})]
    report.add(Phase("working"))
    with pytest.raises(Gone):
        report.flush_if_due()
