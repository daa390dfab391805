"""The embedded broker: a kombu transport whose queues are folders of one machine. Knows nothing of runs.

    <folder>/queues/<queue>/<name>            waiting; <name> sorts by time of publication
    <folder>/unacked/<consumer>/<queue>@<name>  taken, not acknowledged
    <folder>/unacked/<consumer>.lock          held (flock) by the consumer as long as its process lives
    <folder>/unacked/<consumer>.bell          a pipe that whoever publishes rings: no need to look often
    <folder>/dead/<queue>@<name>              set aside: not a message

Every step is one rename, so a message is whole or not there, and has one owner. A message is written to a
dot-file first. A consumer whose lock is free has died: whoever notices returns its messages, marked as
redelivered by their name's end. kombu's own filesystem transport opens the final name before it writes, takes
an empty file for a message, and forgets what a killed consumer held.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import logging
import math
import os
import re
import select
import time
from collections import deque
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, virtual

log = logging.getLogger(__name__)

URL = "imfine://localhost/"
MESSAGE_LIMIT = 1 << 20  # bytes; ours hold an id
RESCAN_S = 0.5  # how old the list of waiting messages may get before a returned one is seen at its place
RESTORE_S = 1.0  # how often the dead are looked for
DRAIN_S = 0.2
LOOK_S = 0.05  # how often queues are looked at though no bell rang: a message that came back rings none
REDELIVERED = "~r"

_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
_count = itertools.count()


def message_name() -> str:
    """Sorts by time; no two alike on one machine."""
    return f"{time.time_ns():020d}-{os.getpid():07d}-{next(_count):08d}"


class Consumer:
    """A folder of messages that were taken and not acknowledged, the lock of a living taker, and its bell."""

    def __init__(self, unacked: Path) -> None:
        name = message_name()
        hidden = unacked / f".{name}.lock"
        self.folder = unacked / name
        self.folder.mkdir()
        self.lock = os.open(hidden, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        os.mkfifo(unacked / f"{name}.bell", 0o600)
        self.ear = os.open(unacked / f"{name}.bell", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        hidden.rename(unacked / f"{name}.lock")  # seen by others only once it is locked

    def close(self) -> None:
        """Leaves folder and files to whoever looks for the dead: the lock is free from here on."""
        os.close(self.ear)
        os.close(self.lock)


class QoS(virtual.QoS):
    """Acknowledging removes the file; any thread may do it."""

    def ack(self, delivery_tag: str) -> None:
        self.channel.settle(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            self.channel.give_back(delivery_tag)
        else:
            self.channel.settle(delivery_tag)
        super().ack(delivery_tag)


class Channel(virtual.Channel):
    QoS = QoS

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.root = Path(connection.client.transport_options["folder"])
        for part in ("queues", "unacked", "dead"):
            (self.root / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.consumer: Consumer | None = None
        self.waiting: dict[str, deque[str]] = {}
        self.scanned_at: dict[str, float] = {}
        self.restored_at = float("-inf")

    # -- publishing

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._folder(queue).mkdir(exist_ok=True, mode=0o700)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._folder(queue).is_dir()

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
        if len(body) > MESSAGE_LIMIT:
            raise ChannelError(f"a message of {len(body)} bytes is over the limit of {MESSAGE_LIMIT}")
        folder, name = self._folder(queue), message_name()
        hidden = folder / f".{name}"
        try:
            hidden.write_bytes(body)
            hidden.rename(folder / name)
        except FileNotFoundError:  # the folder was never declared, or deleted by hand
            folder.mkdir(exist_ok=True, mode=0o700)
            hidden.write_bytes(body)
            hidden.rename(folder / name)
        _ring(self.root / "unacked")

    # -- taking

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        self._restore_dead()
        self._taking()  # has a bell from its first look on
        waiting = self.waiting.setdefault(queue, deque())
        now = time.monotonic()
        if not waiting or now - self.scanned_at[queue] > RESCAN_S:
            self.scanned_at[queue] = now
            waiting.clear()
            waiting.extend(sorted(self._names(queue)))
        while waiting:
            name = waiting.popleft()
            tag = f"{queue}@{name}"
            try:
                os.rename(self._folder(queue) / name, self._taking() / tag)
            except FileNotFoundError:
                continue  # another reader was quicker
            path = self._taking() / tag
            try:
                return self._read(path)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as reason:
                os.rename(path, self.root / "dead" / tag)
                log.error("set aside what is not a message: %s (%r)", self.root / "dead" / tag, reason)
        raise Empty

    def _read(self, path: Path) -> dict[str, Any]:
        if path.stat().st_size > MESSAGE_LIMIT:
            raise ValueError(f"over {MESSAGE_LIMIT} bytes")
        message: dict[str, Any] = json.loads(path.read_bytes())
        properties = message["properties"]
        properties["delivery_tag"] = path.name
        properties["delivery_info"]["redelivered"] = path.name.endswith(REDELIVERED)
        self.Message(message, channel=self)  # what cannot be decoded shows here, not in the worker's loop
        return message

    # -- settling

    def settle(self, tag: str) -> None:
        if self.consumer is not None:  # else: closed, and all it held is back in the queue
            (self.consumer.folder / tag).unlink(missing_ok=True)

    def give_back(self, tag: str) -> None:
        if self.consumer is not None:
            _return(self.consumer.folder / tag, self.root)

    def _restore(self, message: Any) -> None:
        self.give_back(message.delivery_tag)

    def _restore_dead(self) -> None:
        if time.monotonic() - self.restored_at < RESTORE_S:
            return
        self.restored_at = time.monotonic()
        for lock in sorted((self.root / "unacked").glob("[0-9]*.lock")):
            _restore_if_dead(lock, self.root)

    def close(self) -> None:
        super().close()
        if self.consumer is not None:
            self.consumer.close()
            self.consumer = None

    # -- counting and clearing

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _purge(self, queue: str) -> int:
        purged = 0
        for name in self._names(queue):
            try:
                os.unlink(self._folder(queue) / name)
            except FileNotFoundError:
                continue  # taken meanwhile
            purged += 1
        return purged

    def _names(self, queue: str) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder(queue)) if not name.startswith(".")]
        except FileNotFoundError:
            return []

    def _folder(self, queue: str) -> Path:
        if not _QUEUE_NAME.match(queue):
            raise ChannelError(f"not a queue's name: {queue!r}")
        return self.root / "queues" / queue

    def _taking(self) -> Path:
        if self.consumer is None:
            self.consumer = Consumer(self.root / "unacked")
        return self.consumer.folder


def _ring(unacked: Path) -> None:
    """Wakes every consumer. One that has died has no ear, and one whose pipe is full is awake."""
    for bell in unacked.glob("[0-9]*.bell"):
        with contextlib.suppress(OSError):
            pipe = os.open(bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(pipe, b"!")
            finally:
                os.close(pipe)


def _return(path: Path, root: Path) -> None:
    """Puts a taken message back at its place in its queue, marked as redelivered."""
    queue, name = path.name.split("@", 1)
    name = name if name.endswith(REDELIVERED) else name + REDELIVERED
    with contextlib.suppress(FileNotFoundError):  # acknowledged meanwhile
        os.rename(path, root / "queues" / queue / name)


def _restore_if_dead(lock: Path, root: Path) -> None:
    try:
        held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # it lives
    else:
        folder = lock.with_suffix("")
        try:
            taken = sorted(folder.iterdir())
        except FileNotFoundError:
            taken = []  # another reader has just returned them
        for path in taken:
            _return(path, root)
        if taken:
            log.warning("returned %d messages of a consumer that died", len(taken))
        if folder.exists():
            folder.rmdir()
        lock.with_suffix(".bell").unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
    finally:
        os.close(held)


class Transport(virtual.Transport):
    Channel = Channel
    driver_type = "folder"
    driver_name = "imfine"

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Delivers one message. A Celery worker looks at its shutdown flag between two calls, and asks for
        two seconds each. Raises: TimeoutError."""
        assert self.cycle is not None
        until = math.inf if timeout is None else time.monotonic() + min(timeout, DRAIN_S)
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._listen(min(left, LOOK_S))

    def _listen(self, timeout: float) -> None:
        """Until a bell rings."""
        ears = [each.consumer.ear for each in self.channels if each.consumer is not None]
        for ear in select.select(ears, [], [], timeout)[0]:
            os.read(ear, 4096)

    def driver_version(self) -> str:
        return "1"


TRANSPORT_ALIASES["imfine"] = f"{__name__}:Transport"
