"""What memory holds of the time before: whole GOPs, as far back as asked, within its bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beholden.model.media import AccessUnit, Track
from beholden.record.prelude import Prelude

START_MS = 1_795_472_104_250


def _unit(number: int, gop: int, size: int = 100) -> AccessUnit:
    """A picture every 100 ms."""
    pts = (START_MS + number * 100) * 90
    return AccessUnit(Track.VIDEO, pts, number % gop == 0, (bytes(size),), size, pts // 90)


def _ms(unit: AccessUnit) -> int:
    return unit.pts // 90 - START_MS


@given(
    st.integers(1, 40),
    st.integers(1, 300),
    st.floats(0, 20),
    st.integers(1, 50_000),
    st.integers(-5000, 40_000),
)
def test_it_reaches_back_as_far_as_asked_within_its_bytes(
    gop: int, count: int, seconds: float, limit: int, since: int
) -> None:
    """Whatever comes: bytes stay within the limit; what is given begins with a keyframe, goes on to
    the newest picture without a hole, and covers the time asked for unless bytes forbid it."""
    prelude = Prelude(limit, seconds)
    for number in range(count):
        prelude.add(_unit(number, gop))
        assert prelude.bytes <= limit
    crowded, start = prelude.crowded, prelude.start_ms
    newest = list(prelude.newest())
    taken = prelude.take(START_MS + since)
    assert prelude.bytes == 0
    assert prelude.take(0) == []
    assert [_ms(unit) // 100 for unit in taken] == list(range(count - len(taken), count))
    if not taken:
        assert gop * 100 > limit
        return
    assert taken[0].key
    assert newest[0].key
    assert taken[-len(newest) :] == newest
    newest_key = _ms(newest[0])
    if not crowded:
        assert start is not None
        assert start - START_MS <= max(0, newest_key - round(seconds * 1000))
    if since >= (start or 0) - START_MS:
        assert _ms(taken[0]) <= max(since, 0)


def test_sound_comes_along_and_never_begins() -> None:
    """Audio before the first keyframe is of no use; after it, it keeps its place."""
    prelude = Prelude(10_000)
    sound = AccessUnit(Track.AUDIO, 1, True, (b"x",), 1, START_MS)
    prelude.add(sound)
    assert prelude.take(0) == []
    prelude.add(_unit(0, 10))
    prelude.add(sound)
    assert [unit.track for unit in prelude.take(0)] == [Track.VIDEO, Track.AUDIO]


def test_too_little_memory_is_noticed_and_forgiven() -> None:
    """``crowded`` says that bytes cost time that was asked for, until they no longer do."""
    prelude = Prelude(1500, seconds=5)
    for number in range(60):
        prelude.add(_unit(number, 5))
    assert prelude.crowded
    prelude.limit_bytes = 1_000_000
    for number in range(60, 180):
        prelude.add(_unit(number, 5))
    assert not prelude.crowded
