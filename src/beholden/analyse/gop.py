"""The coded pictures since a keyframe, kept so that they can be decoded after all; and their usual size."""

from __future__ import annotations

import statistics
from collections import deque

from beholden.model.media import AccessUnit
from beholden.model.time import ticks_to_ms

LONGEST_MS = 10_000
_MOST_UNITS = 600
_MOST_BYTES = 4 * 1024 * 1024
_REMEMBERED = 40
_LEAST_KNOWN = 8
_FIRST_MARGIN, _LEAST_MARGIN, _MOST_MARGIN = 1.6, 1.3, 6.0


class Gop:
    """A keyframe and what followed it, bounded. ``units`` in order."""

    def __init__(self, first: AccessUnit) -> None:
        self.units = [first]
        self._bytes = first.size

    @property
    def rate(self) -> float:
        """Bytes a picture after the keyframe; 0 when nothing followed it."""
        followers = len(self.units) - 1
        return (self._bytes - self.units[0].size) / followers if followers else 0.0

    def add(self, unit: AccessUnit) -> bool:
        """Keep one more; False when that would be too many, too large or too long a time."""
        too_long = ticks_to_ms(unit.pts - self.units[0].pts) > LONGEST_MS
        if too_long or len(self.units) >= _MOST_UNITS or self._bytes + unit.size > _MOST_BYTES:
            return False
        self.units.append(unit)
        self._bytes += unit.size
        return True


class UsualRate:
    """How large the pictures between keyframes usually are while nothing happens.

    Cameras that hold a bit rate say little by it, therefore a GOP that stood out for nothing raises the
    margin for the next, and one that was right lowers it.
    """

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=_REMEMBERED)
        self._margin = _FIRST_MARGIN

    def stands_out(self, gop: Gop) -> bool:
        """Whether a quiet camera's GOP is unusually large; remembers it."""
        rate = gop.rate
        known = len(self._rates) >= _LEAST_KNOWN
        usual = statistics.median(self._rates) if known else 0.0
        self._rates.append(rate)
        return known and rate > usual * self._margin

    def judged(self, *, right: bool) -> None:
        """Whether something moved in the GOP that stood out."""
        factor = 0.8 if right else 1.25
        self._margin = min(max(self._margin * factor, _LEAST_MARGIN), _MOST_MARGIN)
