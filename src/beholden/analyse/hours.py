"""When a rule holds: its schedule by the site's wall clock, and the site's mode."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from datetime import tzinfo

from beholden.model.rule import Rule
from beholden.model.site import SiteMode
from beholden.model.time import from_ms


class Hours:
    """The clock and the modes of a site, as rules ask for them. ``modes`` is (from epoch ms on, mode), oldest
    first, beginning at 0."""

    def __init__(self, zone: tzinfo, modes: Sequence[tuple[int, SiteMode]]) -> None:
        self.learn(zone, modes)

    def learn(self, zone: tzinfo, modes: Sequence[tuple[int, SiteMode]]) -> None:
        """What the site is set to has changed. Safe beside calls from another thread."""
        self._zone = zone
        self._set = [start for start, _ in modes], [mode for _, mode in modes]
        self._minute: tuple[int, tuple[int, int]] = (-1, (0, 0))

    def holds(self, rule: Rule, at_ms: int) -> bool:
        """Whether the rule holds at that instant."""
        if rule.modes and self.mode(at_ms) not in rule.modes:
            return False
        if not rule.schedule:
            return True
        weekday, minute = self._wall(at_ms)
        return any(
            window.weekday == weekday and window.from_minute <= minute < window.to_minute
            for window in rule.schedule
        )

    def mode(self, at_ms: int) -> SiteMode:
        """What the site was set to then."""
        starts, modes = self._set
        return modes[max(0, bisect.bisect_right(starts, at_ms) - 1)]

    def _wall(self, at_ms: int) -> tuple[int, int]:
        """(weekday, minute of the day)."""
        minute = at_ms // 60_000
        if self._minute[0] != minute:  # many objects and rules ask of one instant
            here = from_ms(at_ms).astimezone(self._zone)
            self._minute = minute, (here.weekday(), here.hour * 60 + here.minute)
        return self._minute[1]
