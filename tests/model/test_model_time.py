"""Time: one instant, one integer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given

from beholden.model import time
from beholden.model.time import FakeClock, NaiveDatetimeError

INSTANTS = st.integers(0, 7 * 10**15).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


@given(INSTANTS, st.integers(-720, 840))
def test_milliseconds_round_trip_in_any_zone(moment: datetime, minutes: int) -> None:
    """The same instant in another zone is the same integer, and comes back to the millisecond."""
    ms = time.to_ms(moment)
    assert time.to_ms(moment.astimezone(timezone(timedelta(minutes=minutes)))) == ms
    assert time.parse_rfc3339(time.to_rfc3339(ms)) == ms
    assert time.from_ms(ms) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_a_naive_datetime_is_refused() -> None:
    """A time without a zone is no instant, also as text."""
    with pytest.raises(NaiveDatetimeError):
        time.to_ms(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(NaiveDatetimeError):
        time.parse_rfc3339("2026-01-01T00:00:00")


def test_the_fake_clock_steps_like_ntp() -> None:
    """A step moves wall time only; advance moves both."""
    clock = FakeClock(1000)
    clock.step(-0.5)
    assert (clock.now_ms(), clock.monotonic()) == (500, 0.0)
    clock.advance(2)
    assert (clock.now_ms(), clock.monotonic()) == (2500, 2.0)
