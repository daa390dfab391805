"""What is reported: the first event at once, then gathered; a heartbeat whatever the work does."""

import hashlib
import threading
import time
from collections.abc import Iterator

import pytest
from stub_server import RUN, Stub

from imfine.core.events import LaneEnd, Phase, Picture, Preview, Tokens
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


def picture(lane: int, index: int = 0, data: bytes = b"a picture") -> Picture:
    sha256 = hashlib.sha256(data).hexdigest()
    return Picture(lane, index, 7, 64, 64, sha256, len(data), data)


def preview(step: int, lane: int = 0, index: int = 0) -> Preview:
    return Preview(lane, index, step, 20, "image/png", "AAAA")


def told(stub: Stub) -> list[list[tuple]]:
    """Each post's events: type, lane, index, step."""
    keys = ("type", "lane", "index", "step")
    return [
        [tuple(event[key] for key in keys if key in event) for event in body["events"]]
        for body in stub.posted("events")
    ]


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


def test_a_picture_is_uploaded_before_it_is_told_and_once_for_all_lanes(report, stub):
    report.add(picture(0))
    report.add(picture(1))
    report.add(picture(1, 1, b"another"))
    report.flush_if_due()
    assert [verb for verb, _ in stub.posts if verb != "heartbeat"] == ["upload", "upload", "events"]
    assert [body["data"] for body in stub.posted("upload")] == [b"a picture", b"another"]
    [post] = stub.posted("events")
    assert [(e["lane"], e["index"], e["sha256"]) for e in post["events"]] == [
        (0, 0, stub.posted("upload")[0]["sha256"]),
        (1, 0, stub.posted("upload")[0]["sha256"]),
        (1, 1, stub.posted("upload")[1]["sha256"]),
    ]
    assert "png" not in post["events"][0]


def test_a_preview_goes_at_once(report, stub):
    report.add(Phase("loading"))
    report.flush_if_due()
    report.add(preview(1))
    report.flush_if_due()  # long before the gathering is over
    assert told(stub) == [[("phase",)], [("preview", 0, 0, 1)]]


def test_of_the_previews_that_wait_only_the_latest_of_each_picture_is_left(report, stub):
    for step in range(1, 6):
        report.add(Phase("working", step, 20, "steps"))
        for lane in (0, 1):
            report.add(preview(step, lane))
    report.add(preview(2, 1, 1))
    report.flush_if_due()
    assert told(stub) == [[("phase",), ("preview", 0, 0, 5), ("preview", 1, 0, 5), ("preview", 1, 1, 2)]]
    assert stub.posted("events")[0]["events"][0]["done"] == 5
    assert report.due_in() == float("inf")


def test_no_preview_follows_its_picture(report, stub):
    report.add(preview(19, 0))
    report.add(preview(19, 1))
    report.add(picture(0))
    report.flush_if_due()
    assert [event[:3] for event in told(stub)[0]] == [("picture", 0, 0), ("preview", 1, 0)]


def test_what_an_upload_waits_for_is_told_in_the_order_it_came(report, stub):
    """A server that is away for a while, in the middle of an upload."""
    stub.answers["upload"] = [(503, {}), (507, {})]
    report.add(picture(0))
    report.add(LaneEnd(0, "stop", 1, 1.0, 1.0))
    report.finish("succeeded", result={"type": "result"})
    assert len(stub.posted("upload")) == 3
    assert [event[0] for event in told(stub)[0]] == ["picture", "lane_end"]


def test_a_cancel_is_heard_between_two_uploads(report, stub):
    stub.slow["upload"] = 0.15
    stub.answers["heartbeat"] = [(200, {"cancel": True})]  # within the first upload
    for index in range(8):
        report.add(picture(0, index, bytes([index])))
    report.flush_if_due()
    uploads = len(stub.posted("upload"))
    assert report.cancelled.is_set()
    assert 1 <= uploads < 8
    assert [event[:3] for event in told(stub)[0]] == [("picture", 0, index) for index in range(uploads)]


def test_a_cancel_ends_an_upload_that_finds_no_room(report, stub):
    stub.answers["upload"] = [(507, {})] * 1000
    threading.Timer(0.3, lambda: setattr(stub, "cancel", True)).start()
    report.add(picture(0))
    report.add(LaneEnd(0, "stop", 1, 1.0, 1.0))
    began = time.monotonic()
    report.finish("cancelled")
    assert time.monotonic() - began < 3
    assert [event[0] for event in told(stub)[0]] == ["lane_end"]


def test_an_upload_of_an_attempt_that_is_over_is_refused(report, stub):
    stub.answers["upload"] = [(409, {})]
    report.add(picture(0))
    with pytest.raises(Gone):
        report.flush_if_due()
    assert stub.posted("events") == []
