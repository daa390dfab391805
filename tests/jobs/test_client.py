"""The worker's line to the server: patient with a server that is away, obedient to one that refuses."""

import threading
import time
from collections.abc import Iterator

import pytest
from stub_server import RUN, Stub

from imfine.errors import ImfineError, Unauthorized, Unavailable
from imfine.jobs import client as client_module
from imfine.jobs.client import Claim, Client, Gone, Terms

CLAIM = Claim(RUN, "generate", 1, {})


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def client(stub: Stub) -> Client:
    return Client(stub.url, "secret", "w", threading.Event())


def test_hello_brings_the_terms(client):
    assert client.hello({"pid": 1}) == Terms(5.0, 1.0, 30.0, 1 << 30)


def test_claim(client, stub):
    assert client.claim(RUN, redelivered=True) == CLAIM
    assert stub.posted("claim") == [{"worker": "w", "redelivered": True, "message": None}]
    stub.answers["claim"] = [(409, {"error": {}})]
    assert client.claim(RUN, redelivered=False) is None


def test_what_was_posted_while_the_server_was_away_is_posted_again_unchanged(client, stub):
    stub.stop()
    back = threading.Timer(0.5, stub.start)
    back.start()
    assert client.events(CLAIM, 7, [{"type": "phase"}]) is False
    stub.answers["events"] = [(503, {}), (500, {})]
    client.events(CLAIM, 8, [])
    assert [body["seq"] for body in stub.posted("events")] == [7, 8, 8, 8]


def test_an_upload_is_made_again_until_the_server_has_it(client, stub):
    stub.answers["upload"] = [(507, {}), (503, {})]
    assert client.upload(CLAIM, "ab" * 32, b"PNG", threading.Event())
    wanted = {"sha256": "ab" * 32, "query": "attempt=1", "data": b"PNG"}
    assert stub.posted("upload") == [wanted] * 3
    stub.answers["upload"] = [(409, {}), (422, {"error": {"message": "no PNG"}})]
    for kind in (Gone, ImfineError):
        with pytest.raises(kind):
            client.upload(CLAIM, "ab" * 32, b"PNG", threading.Event())


def test_an_upload_that_is_cut_off_begins_again(client, stub):
    stub.cut_off = 2
    whole = bytes(3 << 20)
    assert client.upload(CLAIM, "ab" * 32, whole, threading.Event())
    assert [body["data"] for body in stub.posted("upload")] == [whole]
    assert stub.cut_off == 0


def test_a_refusal_is_final(client, stub):
    stub.answers["events"] = [(409, {}), (404, {}), (401, {}), (422, {"error": {"message": "no"}})]
    for kind in (Gone, Gone, Unauthorized, ImfineError):
        with pytest.raises(kind):
            client.events(CLAIM, 1, [])


def test_patience_ends_soon_when_the_worker_has_to_end(client, stub):
    stub.stop()
    client.stopping.set()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        client.release(CLAIM, "the worker ends")
    assert 1.5 < time.monotonic() - began < 4


def test_and_ends_at_last_when_nobody_answers(client, stub, monkeypatch):
    monkeypatch.setattr(client_module, "PATIENCE_S", 0.2)
    stub.stop()
    with pytest.raises(Unavailable):
        client.claim(RUN, redelivered=False)
