"""Schedules follow the clock on the wall, also on the two days a year on which it jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.camera import RecordingMode, RecordingWindow
from beholden.model.time import from_ms, to_ms
from beholden.record.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = RecordingWindow(6, 60, 240, RecordingMode.CONTINUOUS)  # Sunday 01:00 to 04:00


def _minutes_recorded(schedule: Schedule, day: datetime) -> list[datetime]:
    return [
        moment
        for minute in range(-720, 2160)
        if schedule.mode_at(to_ms(moment := day + timedelta(minutes=minute))) is not None
    ]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), 2),  # 02:00 to 03:00 is left out
        (datetime(2026, 10, 25, tzinfo=UTC), 4),  # 02:00 to 03:00 happens twice
        (datetime(2026, 7, 5, tzinfo=UTC), 3),
    ],
)
def test_a_window_lasts_as_long_as_the_wall_clock_makes_it(day: datetime, hours: int) -> None:
    """It begins at 01:00 and ends at 04:00 on the wall, without a hole between."""
    found = _minutes_recorded(Schedule([NIGHT], BERLIN), day)
    assert len(found) == hours * 60
    assert found[-1] - found[0] == timedelta(hours=hours, minutes=-1)
    first, last = found[0].astimezone(BERLIN), found[-1].astimezone(BERLIN)
    assert (first.hour, first.minute, last.hour, last.minute) == (1, 0, 3, 59)


@given(st.integers(1_735_689_600_000, 2_051_222_400_000))
def test_any_moment_has_the_mode_of_its_wall_clock_window(now_ms: int) -> None:
    """Windows hold their first minute and not their last; days without windows hold nothing."""
    moment = from_ms(now_ms)
    windows = [
        RecordingWindow(0, 480, 1080, RecordingMode.CONTINUOUS),
        RecordingWindow(0, 1080, 1440, RecordingMode.EVENTS),
        RecordingWindow(5, 0, 1440, RecordingMode.EVENTS),
    ]
    local = moment.astimezone(BERLIN)
    minute = local.hour * 60 + local.minute
    expected = None
    if local.weekday() == 5 or (local.weekday() == 0 and minute >= 1080):
        expected = RecordingMode.EVENTS
    elif local.weekday() == 0 and minute >= 480:
        expected = RecordingMode.CONTINUOUS
    assert Schedule(windows, BERLIN).mode_at(now_ms) is expected
