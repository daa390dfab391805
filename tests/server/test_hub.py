"""The hub alone: bounded buffers, drops, ends."""

from __future__ import annotations

import asyncio
import threading

from imfine.server.hub import BUFFER_EVENTS, PASSING_BYTES, Hub, Passing, Reader
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


def passing(key: str, data: str = "{}", run: str = "a", page: str | None = None) -> Passing:
    return Passing(key, run, page, "preview", data)


def taken(reader: Reader) -> list[str]:
    """What waits for a reader, in its order: ids, and the data of what passes."""
    found = asyncio.run(reader.take(0.01))
    return [str(each.id) if isinstance(each, Logged) else each.data for each in found]


def test_of_what_passes_only_the_latest_waits() -> None:
    reader = Reader(Wants(run="a"))
    for each in (event(1), passing("x", "x1"), event(2), passing("y", "y1"), passing("x", "x2"), event(3)):
        reader.offer(each)
    reader.offer(passing("x", "other", run="b"))
    assert taken(reader) == ["1", "2", "y1", "x2", "3"]
    assert taken(reader) == []


def test_a_reader_that_is_behind_loses_what_passes_and_is_not_dropped_for_it() -> None:
    reader = Reader(Wants(run="a"))
    half = "x" * (PASSING_BYTES // 2)
    for i in range(50):
        reader.offer(event(i))
        reader.offer(passing(f"lane {i}", half))
    reader.offer(passing("large", 3 * half))
    assert reader.open
    assert taken(reader) == [str(i) for i in range(50)]
    reader.offer(passing("lane", half))  # the count begins anew
    reader.offer(passing("lane 2", half))
    assert taken(reader) == [half, half]


def test_who_has_read_the_log_forgets_what_passed_before() -> None:
    reader = Reader(Wants(run="a"))
    for each in (passing("x"), event(1), passing("y")):
        reader.offer(each)
    reader.forget_passing()
    reader.offer(passing("z", "z1"))
    assert taken(reader) == ["1", "z1"]


def test_a_page_wants_what_passes_of_its_runs() -> None:
    wants = Wants(page="mine", runs={"named"})
    assert wants(passing("x", page="mine"))
    assert wants(passing("x", run="named"))
    assert not wants(passing("x", page="other"))


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
