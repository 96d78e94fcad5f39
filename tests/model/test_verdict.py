"""Shares with their intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.verdict import Share


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_bounds(pair: tuple[int, int]) -> None:
    """For every count."""
    share = Share(*pair)
    low, high = share.interval()
    assert -1e-12 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1 + 1e-12


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)]
)
def test_known_values_of_wilson(hits: int, of: int, low: float, high: float) -> None:
    """As published tables have them."""
    assert Share(hits, of).interval() == pytest.approx((low, high), abs=2e-4)


@given(st.integers(1, 100))
def test_a_larger_sample_is_surer(many: int) -> None:
    """The interval shrinks."""
    low, high = Share(many, 2 * many).interval()
    narrow_low, narrow_high = Share(10 * many, 20 * many).interval()
    assert narrow_high - narrow_low < high - low
