"""The embedded broker loses nothing, whoever is killed, and is stopped by nothing it finds."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection, Queue
from kombu.exceptions import ChannelError

from imfine.jobs import filesystem

READER = """
import sys, time
from kombu import Connection
from queue import Empty
from imfine.jobs import filesystem
filesystem.RESTORE_S = 0.05
channel = Connection(filesystem.URL, transport_options={"folder": sys.argv[1]}).channel()
until, quiet_s = None, float(sys.argv[2])
while until is None or time.monotonic() < until:
    message = channel.basic_get("live")
    if message is None:
        until = until or time.monotonic() + quiet_s
        time.sleep(0.001)
        continue
    until = None
    sys.stdout.write(f"{message.payload} {int(message.delivery_info['redelivered'])}\\n")
    sys.stdout.flush()
    message.ack()
"""
WRITER = """
import sys
from kombu import Connection, Producer
from imfine.jobs import filesystem
producer = Producer(Connection(filesystem.URL, transport_options={"folder": sys.argv[1]}).channel())
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    producer.publish(str(number), routing_key="live", serializer="json")
"""


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[filesystem.Channel]:
    with Connection(filesystem.URL, transport_options={"folder": str(tmp_path)}) as connection:
        channel = connection.channel()
        channel.queue_declare("live")
        yield channel


def put(channel: filesystem.Channel, body: str) -> None:
    message = channel.prepare_message(
        json.dumps(body), content_type="application/json", content_encoding="utf-8"
    )
    channel.basic_publish(message, exchange="", routing_key="live")


def test_first_in_first_out_and_gone_after_the_acknowledgement(channel, tmp_path):
    for body in ("a", "b", "c"):
        put(channel, body)
    assert channel.queue_declare("live").message_count == 3
    messages = [channel.basic_get("live") for _ in range(3)]
    assert [message.payload for message in messages] == ["a", "b", "c"]
    assert not any(message.delivery_info["redelivered"] for message in messages)
    assert channel.basic_get("live") is None
    for message in messages:
        message.ack()
    assert not [path for path in tmp_path.rglob("*@*")]


def test_a_rejected_message_comes_again_at_its_place_and_marked(channel):
    put(channel, "a")
    put(channel, "b")
    channel.basic_get("live").requeue()
    time.sleep(filesystem.RESCAN_S)
    again = channel.basic_get("live")
    assert (again.payload, again.delivery_info["redelivered"]) == ("a", True)
    again.requeue()  # the mark is not added twice
    time.sleep(filesystem.RESCAN_S)
    assert channel.basic_get("live").payload == "a"


def test_closing_returns_what_was_not_acknowledged(channel, tmp_path):
    put(channel, "a")
    put(channel, "b")
    held, done = channel.basic_get("live"), channel.basic_get("live")
    done.ack()
    channel.close()
    held.ack_log_error(None, ())  # a thread that comes too late
    with Connection(filesystem.URL, transport_options={"folder": str(tmp_path)}) as connection:
        other = connection.channel()
        again = other.basic_get("live")
        assert (again.payload, again.delivery_info["redelivered"]) == ("a", True)
        assert other.basic_get("live") is None


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b'"text"',
        b'{"properties": {}}',
        b'{"body": "a", "properties": {"delivery_info": {}, "body_encoding": "base64"}}',
        b'{"body": "e30=", "properties": {"delivery_info": [], "body_encoding": "base64"}}',
        b"[" * 500_000,
        b" " * (filesystem.MESSAGE_LIMIT + 1),
    ],
    ids=["empty", "cut", "list", "binary", "text", "bare", "base64", "info", "deep", "large"],
)
def test_what_is_no_message_is_set_aside(channel, tmp_path, rubbish):
    (tmp_path / "queues" / "live" / "0").write_bytes(rubbish)
    put(channel, "a")
    assert channel.basic_get("live").payload == "a"
    [dead] = (tmp_path / "dead").iterdir()
    assert dead.read_bytes() == rubbish


def test_purge_and_limits(channel):
    for _ in range(5):
        put(channel, "a")
    assert channel.queue_purge("live") == 5
    assert channel.basic_get("live") is None
    with pytest.raises(ChannelError, match="over the limit"):
        put(channel, "x" * filesystem.MESSAGE_LIMIT)
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ChannelError):
            channel._put(name, {})


def test_polling_stays_cheap_with_thousands_waiting(channel):
    for _ in range(5000):
        put(channel, "a")
    channel.basic_get("live").ack()
    began = time.perf_counter()
    for _ in range(500):
        channel.basic_get("live").ack()
    assert (time.perf_counter() - began) / 500 < 0.002  # seconds; reading the folder each time takes longer


def test_nothing_is_lost_when_a_tight_reader_is_killed(tmp_path):
    count, seen = 10_000, []

    def reader(quiet_s: float) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path), str(quiet_s)], stdout=subprocess.PIPE, text=True
        )

    doomed = reader(60)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(low), str(low + count // 2)])
        for low in (0, count // 2)
    ]
    for _ in range(1000):
        seen.append(doomed.stdout.readline())
    os.kill(doomed.pid, signal.SIGKILL)
    seen += doomed.stdout.readlines()
    doomed.wait()
    for writer in writers:
        assert writer.wait(60) == 0
    readers = [reader(1.0), reader(1.0)]
    for each in readers:
        seen += each.communicate(timeout=60)[0].splitlines(keepends=True)
    numbers = [line.split()[0] for line in seen if line.endswith("\n")]
    assert {int(number) for number in numbers} == set(range(count))
    assert len(numbers) <= count + 1  # at most what the killed one held in its hand
    assert not list((tmp_path / "dead").iterdir())
    with Connection(filesystem.URL, transport_options={"folder": str(tmp_path)}) as connection:
        assert connection.channel().basic_get("live") is None


def test_what_a_killed_reader_held_comes_again_marked(tmp_path, channel):
    put(channel, "a")
    holder = subprocess.Popen(
        [sys.executable, "-c", READER.replace("message.ack()", "time.sleep(60)"), str(tmp_path), "60"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "a 0\n"
    channel.restored_at = float("-inf")
    assert channel.basic_get("live") is None  # its holder lives
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    channel.restored_at = float("-inf")
    again = channel.basic_get("live")
    assert (again.payload, again.delivery_info["redelivered"]) == ("a", True)
    assert len(list((tmp_path / "unacked").glob("*.lock"))) == 1  # ours; nothing is left of the dead one


def test_a_bell_wakes_a_consumer_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "LOOK_S", 30.0)
    monkeypatch.setattr(filesystem, "DRAIN_S", 30.0)
    heard: list[tuple[str, float]] = []
    with Connection(filesystem.URL, transport_options={"folder": str(tmp_path)}) as connection:
        queue = Queue("live", routing_key="live")
        take = lambda body, message: heard.append((body, time.monotonic()))  # noqa: E731
        with connection.Consumer(queue, callbacks=[take], no_ack=True):
            thread = threading.Thread(target=lambda: [connection.drain_events(timeout=30) for _ in range(3)])
            thread.start()
            for number in range(3):
                time.sleep(0.1)  # it has found nothing and listens
                sent = time.monotonic()
                subprocess.run(
                    [sys.executable, "-c", WRITER, str(tmp_path), str(number), str(number + 1)], check=True
                )
                assert time.monotonic() - sent < 20
            thread.join(10)
    assert [body for body, _ in heard] == ["0", "1", "2"]
