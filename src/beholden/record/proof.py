"""How old footage is for certain: by what was recorded after it, whatever this machine's clock says now."""

from __future__ import annotations

from collections.abc import Mapping

from beholden.catalog.usage import DAY_MS


def certainly_before(recorded: Mapping[int, int], now_ms: int, age_ms: int) -> int:
    """An instant: what ended by it is at least so old, for that much was recorded on the days after it. 0
    when there is no such instant.

    ``recorded`` has milliseconds by day (usage.recorded_by_day). A clock that jumped leaves days without
    footage, and those prove nothing; nor do days that are still to come.
    """
    seen = 0
    for day in sorted((day for day in recorded if day * DAY_MS <= now_ms), reverse=True):
        seen += min(recorded[day], DAY_MS)
        if seen >= age_ms:
            return day * DAY_MS
    return 0
