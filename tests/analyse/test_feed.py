"""What waits to be decoded is bounded, and an overload is relieved, told and recovered from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beholden.analyse.feed import Feed, Lost
from beholden.analyse.quarantine import Quarantine
from beholden.model.media import AccessUnit, Track, VideoFormat
from beholden.model.time import FakeClock

VIDEO = VideoFormat("h264", 640, 360, (b"\x67abc", b"\x68"))


def unit(number: int, key: bool = False, size: int = 1000) -> AccessUnit:
    """A picture that says its number."""
    return AccessUnit(Track.VIDEO, number, key, (b"x",), size, 0)


def taken(feed: Feed) -> list[object]:
    """All that waits; units by number."""
    items = []
    while (item := feed.take()) is not None:
        items.append(item.pts if isinstance(item, AccessUnit) else item)
    return items


def test_units_leave_in_order() -> None:
    """First a keyframe, then what follows."""
    feed = Feed(FakeClock())
    for item in (VIDEO, unit(1), unit(2, key=True), unit(3)):
        feed.put(item)
    assert taken(feed) == [VIDEO, 2, 3]


def test_after_a_loss_a_keyframe_comes_first() -> None:
    """Pictures that depend on lost ones are not decoded."""
    feed = Feed(FakeClock())
    for item in (unit(1, key=True), Lost(stream_ended=False), unit(2), unit(3, key=True), unit(4)):
        feed.put(item)
    assert taken(feed) == [1, Lost(stream_ended=False), 3, 4]


def test_only_what_cannot_wait_is_urgent() -> None:
    """All of a lively camera; of a quiet one its keyframes, until all that waits was taken."""
    feed = Feed(FakeClock())
    assert feed.put(unit(1, key=True))
    assert feed.urgent
    assert taken(feed) == [1]
    assert not feed.urgent
    feed.patient = True
    assert not feed.put(unit(2))
    assert not feed.urgent
    assert feed.put(unit(3, key=True))
    assert not feed.put(unit(4))
    assert feed.urgent
    assert taken(feed) == [2, 3, 4]
    assert not feed.urgent


def test_falling_behind_keeps_keyframes_only_then_recovers() -> None:
    """A second of waiting means overload: the newest keyframe stays; ten seconds later all is decoded."""
    clock = FakeClock()
    feed = Feed(clock)
    feed.put(VIDEO)
    feed.put(unit(1, key=True))
    for number in range(2, 15):
        clock.advance(0.1)
        feed.put(unit(number, key=number == 8))
    assert feed.overloaded
    assert feed.waiting_ms() <= 1000
    assert taken(feed)[:2] == [VIDEO, 8]
    feed.put(unit(20))
    feed.put(unit(21, key=True))
    feed.put(unit(22))
    assert taken(feed) == [21]
    clock.advance(11)
    assert not feed.overloaded
    feed.put(unit(30))
    feed.put(unit(31, key=True))
    feed.put(unit(32))
    assert taken(feed) == [31, 32]
    assert feed.dropped > 5


def test_overload_again_lasts_longer() -> None:
    """Relief that did not help for long is given for longer."""
    clock = FakeClock()
    feed = Feed(clock)
    for _ in range(2):
        feed.put(unit(1, key=True))
        clock.advance(1.2)
        feed.put(unit(2))
        taken(feed)
        clock.advance(10.5)
    feed.put(unit(3, key=True))
    clock.advance(1.2)
    feed.put(unit(4))
    clock.advance(12)
    assert feed.overloaded


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5_000_000)), max_size=60))
def test_memory_is_bounded(pictures: list[tuple[bool, int]]) -> None:
    """However large pictures are, no more than 16 MiB and one picture wait."""
    feed = Feed(FakeClock())
    for number, (key, size) in enumerate(pictures):
        feed.put(unit(number, key, size))
    waiting = 0
    while isinstance(item := feed.take(), AccessUnit):
        waiting += item.size
    assert waiting <= 16 * 1024 * 1024 + 5_000_000


def test_quarantine_begins_after_failures_in_a_row_and_grows() -> None:
    """Single failures are nothing; repeated ones pause, longer each time; success forgives."""
    clock = FakeClock()
    quarantine = Quarantine(clock, 3)
    assert [quarantine.failed("bad") for _ in range(3)] == [False, False, True]
    assert quarantine.active
    clock.advance(6)
    assert not quarantine.active
    assert quarantine.failed("bad")
    clock.advance(6)
    assert quarantine.active
    clock.advance(6)
    quarantine.succeeded()
    assert quarantine.reason == ""
    assert not quarantine.failed("bad")
