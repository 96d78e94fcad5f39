"""How old footage is for certain, by what was recorded after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beholden.record.proof import certainly_before

DAY = 86_400_000


def test_days_are_added_up_from_now_backwards() -> None:
    """Two whole days in halves are four days; a day without footage proves nothing."""
    recorded = {10: DAY // 2, 9: DAY // 2, 7: DAY // 2, 6: DAY // 2, 1: DAY}
    now = 10 * DAY + DAY // 2
    assert certainly_before(recorded, now, 2 * DAY) == 6 * DAY
    assert certainly_before(recorded, now, 2 * DAY + 1) == 1 * DAY
    assert certainly_before(recorded, now, 3 * DAY + 1) == 0
    assert certainly_before({}, now, DAY) == 0


def test_what_lies_ahead_proves_nothing() -> None:
    """A clock that was ahead for a while left footage of days that are still to come."""
    assert certainly_before({5: DAY, 900: DAY, 901: DAY}, 5 * DAY + 1, 2 * DAY) == 0


def test_a_day_is_no_longer_than_a_day() -> None:
    """Whatever a clock set back and forth made of it."""
    assert certainly_before({4: 3 * DAY, 3: DAY}, 5 * DAY, 2 * DAY) == 3 * DAY


@given(st.integers(1, 400), st.integers(1, 40), st.integers(1, 30))
def test_a_jump_never_makes_young_footage_old(jump: int, recorded_days: int, bound: int) -> None:
    """Footage of so many days was recorded without a break, then the clock jumped ahead, then as much was
    recorded: what is said to be beyond the bound really is, by the days recorded after it."""
    before = range(100, 100 + recorded_days)
    after = range(100 + recorded_days + jump, 100 + 2 * recorded_days + jump)
    recorded = dict.fromkeys([*before, *after], DAY)
    now = (after[-1] + 1) * DAY
    proven = certainly_before(recorded, now, bound * DAY)
    for day in recorded:
        if (day + 1) * DAY <= proven:
            assert sum(later > day for later in recorded) >= bound
