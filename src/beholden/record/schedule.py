"""When a schedule records: windows of the week by the site's wall clock, right through changes of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from beholden.model.camera import RecordingMode, RecordingWindow
from beholden.model.time import from_ms


class Schedule:
    """Windows of one camera in the site's zone.

    A wall-clock hour that happens twice is recorded twice; one that is left out is not recorded at all, and
    what lies around it begins and ends by the clock on the wall.
    """

    def __init__(self, windows: Iterable[RecordingWindow], zone: tzinfo) -> None:
        self._zone = zone
        self._days: dict[int, list[RecordingWindow]] = {}
        for window in windows:
            self._days.setdefault(window.weekday, []).append(window)

    def mode_at(self, now_ms: int) -> RecordingMode | None:
        """CONTINUOUS or EVENTS; None outside all windows."""
        local = from_ms(now_ms).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        for window in self._days.get(local.weekday(), ()):
            if window.from_minute <= minute < window.to_minute:
                return window.mode
        return None
