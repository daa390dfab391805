"""The hub alone: bounded buffers, drops, ends."""

from __future__ import annotations

import asyncio
import threading

from imfine.server.hub import BUFFER_EVENTS, Hub, Reader
from imfine.store.events import Logged, Wants


def event(i: int, run: str = "a", page: str | None = None, kind: str = "tokens") -> Logged:
    return Logged(i, run, page, kind, "{}")


def test_events_of_many_threads_come_in_the_order_they_were_published() -> None:
    async def main() -> list[int]:
        hub, reader = Hub(), Reader(Wants(run="a"))
        hub.bind(asyncio.get_running_loop())
        hub.enter(reader)
        lock, count = threading.Lock(), iter(range(1, 401))

        def publish() -> None:
            for _ in range(100):
                with lock:
                    hub.publish([event(next(count))])

        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        seen: list[int] = []
        while len(seen) < 400:
            seen += [e.id for e in await reader.take(1)]
        return seen

    assert asyncio.run(main()) == list(range(1, 401))


def test_a_reader_that_falls_behind_is_dropped_alone() -> None:
    async def main() -> None:
        hub, slow, other = Hub(), Reader(Wants(run="a")), Reader(Wants(run="b"))
        hub.bind(asyncio.get_running_loop())
        dropped: list[bool] = []
        slow.on_drop = lambda: dropped.append(True)
        hub.enter(slow)
        hub.enter(other)
        hub.publish([event(i) for i in range(BUFFER_EVENTS + 1)])
        await asyncio.sleep(0.01)
        assert (dropped, slow.open, hub.dropped, hub.readers) == ([True], False, 1, {other})
        assert await slow.take(1) == []
        assert await other.take(0.01) == []

    asyncio.run(main())


def test_what_a_page_wants() -> None:
    wants = Wants(page="mine", runs={"named"})
    assert wants(event(1, page="mine"))
    assert wants(event(1, run="named"))
    assert wants(event(1, kind="state"))
    assert not wants(event(1, page="other"))
    assert not Wants()(event(1, page=None))


def test_an_uncertain_write_sends_readers_back_to_the_log() -> None:
    async def main() -> None:
        hub, reader = Hub(), Reader(Wants())
        hub.bind(asyncio.get_running_loop())
        hub.enter(reader)
        hub.forget_readers()
        assert await reader.take(1) == []
        assert not reader.open
        hub.close()
        late = Reader(Wants())
        hub.enter(late)
        assert not late.open

    asyncio.run(main())
