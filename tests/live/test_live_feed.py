"""Feeds: shared, bounded, and lossy only by whole GOPs and only for who is slow."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from beholden.live.feed import Subscription
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat

MAIN = StreamRole.MAIN
FORMAT = StreamFormat(VideoFormat("h264", 320, 180, (b"\x67\x42\xc0\x0d", b"\x68")))


def unit(pts: int, *, key: bool = False, size: int = 10, track: Track = Track.VIDEO) -> AccessUnit:
    """A unit of a size."""
    return AccessUnit(track, pts, key, (bytes(size),), size, 0)


async def test_viewers_of_a_stream_share_one_subscription(hub: Any, recorders: Any, wait: Any) -> None:
    """Two look, the recorder is asked once; the last to go ends it."""
    async with hub.watch(1, MAIN) as one:
        async with hub.watch(1, MAIN) as other:
            bus = await recorders.bus(1, MAIN)
            bus.push_format(1, MAIN, FORMAT)
            bus.push_unit(1, MAIN, unit(0, key=True))
            for watched in (one, other):
                items: list[Any] = []
                while len(items) < 2:
                    items += await watched.queue.take(1.0)
                assert items[0] == FORMAT
            assert len(recorders.buses) == 1
        assert not bus.closed
    assert bus.closed
    assert hub.watching() == 0


async def test_who_comes_later_begins_at_the_newest_keyframe(hub: Any, recorders: Any) -> None:
    """And at once, not at the next one."""
    async with hub.watch(1, MAIN) as first:
        bus = await recorders.bus(1, MAIN)
        bus.push_format(1, MAIN, FORMAT)
        for n in range(25):
            bus.push_unit(1, MAIN, unit(n, key=n % 10 == 0))
        items: list[Any] = []
        while len(items) < 26:
            items += await first.queue.take(1.0)
        async with hub.watch(1, MAIN) as second:
            begun = second.queue.take_now()
        assert begun[0] == FORMAT
        assert [item.pts for item in begun[1:]] == [20, 21, 22, 23, 24]


async def test_a_lost_recorder_is_connected_again(hub: Any, recorders: Any, wait: Any) -> None:
    """What follows begins with a keyframe; nothing is decoded on top of what was lost."""
    async with hub.watch(1, MAIN) as watched:
        bus = await recorders.bus(1, MAIN)
        bus.push_format(1, MAIN, FORMAT)
        bus.push_unit(1, MAIN, unit(0, key=True))
        items: list[Any] = []
        while len(items) < 2:
            items += await watched.queue.take(1.0)
        bus.hang_up()
        await wait(lambda: len(recorders.buses) == 2)
        again = await recorders.bus(1, MAIN)
        again.push_format(1, MAIN, FORMAT)
        again.push_unit(1, MAIN, unit(7))
        again.push_unit(1, MAIN, unit(8, key=True))
        items = []
        while not items:
            items = await watched.queue.take(1.0)
        assert [item.pts for item in items if isinstance(item, AccessUnit)] == [8]


async def test_units_dropped_on_the_way_are_waited_over(hub: Any, recorders: Any) -> None:
    """The bus says that it left out a GOP."""
    async with hub.watch(1, MAIN) as watched:
        bus = await recorders.bus(1, MAIN)
        bus.push_format(1, MAIN, FORMAT)
        bus.push_unit(1, MAIN, unit(0, key=True))
        bus.push_json({"kind": "dropped", "camera": 1, "stream": "main", "pictures": 3})
        bus.push_unit(1, MAIN, unit(5))
        bus.push_unit(1, MAIN, unit(6, key=True))
        items: list[Any] = []
        while not any(isinstance(item, AccessUnit) and item.pts == 6 for item in items):
            items += await watched.queue.take(1.0)
        assert 5 not in [item.pts for item in items if isinstance(item, AccessUnit)]


async def test_fast_is_asked_for_as_wished(hub: Any, recorders: Any) -> None:
    """A person watches closely: read as data arrives."""
    async with hub.watch(1, MAIN, fast=True):
        bus = await recorders.bus(1, MAIN)
        assert bus.sent[0]["fast"] is True


async def test_without_a_recorder_nothing_breaks(hub: Any, recorders: Any, wait: Any) -> None:
    """It is tried again until it is there."""
    recorders.absent = True
    async with hub.watch(1, MAIN) as watched:
        assert await watched.queue.take(0.3) == []
        recorders.absent = False
        await recorders.bus(1, MAIN)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.booleans(), st.integers(1, 60), st.booleans()),
        st.just(("take",)),
        st.just(("restart",)),
    ),
    max_size=120,
)


@given(STEPS)
def test_a_queue_never_gives_what_cannot_be_decoded(steps: list[Any]) -> None:
    """Whatever comes and however slowly it is read: after every hole comes a keyframe, order is kept, and
    what waits never exceeds the bound by more than a unit."""

    async def play() -> None:
        queue = Subscription(behind_bytes=100)
        queue.put_format(FORMAT)
        taken: list[AccessUnit] = []
        number = 0
        for step in steps:
            if step[0] == "put":
                _, key, size, sound = step
                track = Track.AUDIO if sound else Track.VIDEO
                queue.put(unit(number, key=key or sound, size=size, track=track))
                number += 1
            elif step[0] == "restart":
                queue.restart()
            else:
                waiting = [item for item in queue.take_now() if isinstance(item, AccessUnit)]
                assert sum(item.size for item in waiting) <= 160
                taken += waiting
        expected = -1
        for item in taken:
            if item.pts != expected:
                assert item.key, "a hole without a keyframe after it"
                assert item.track is Track.VIDEO
            assert item.pts >= expected
            expected = item.pts + 1

    asyncio.run(play())
