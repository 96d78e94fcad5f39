"""How much of a core the detector may use in the long run, shared by all cameras."""

from __future__ import annotations

from beholden.model.time import Clock

SHARE = 0.1  # of one core
_BURST_SECONDS = 6.0  # of the detector's time that may be saved up
_THRIFTY_MS, _SPARING_MS, _LEAST_MS = 300, 500, 800


class Allowance:
    """Fills with time, emptied by detecting. While there is some left every picture in which something moves
    is looked at; when it is used up each camera's are looked at less often, so that all get their share."""

    def __init__(self, clock: Clock, share: float = SHARE) -> None:
        self._clock = clock
        self._share = share
        self._left = _BURST_SECONDS
        self._filled = clock.monotonic()

    def spend(self, seconds: float) -> None:
        """So much time went into detecting."""
        self._fill()
        self._left = max(self._left - seconds, -_BURST_SECONDS)

    @property
    def least_ms(self) -> int:
        """The least time between two looks at one camera now."""
        self._fill()
        if self._left > 0:
            return 0
        if self._left > -_BURST_SECONDS / 2:
            return _THRIFTY_MS
        return _SPARING_MS if self._left > -_BURST_SECONDS * 0.9 else _LEAST_MS

    def _fill(self) -> None:
        now = self._clock.monotonic()
        self._left = min(self._left + (now - self._filled) * self._share, _BURST_SECONDS)
        self._filled = now
