"""Leaving alone for a while what fails again and again, so that it costs the others nothing."""

from __future__ import annotations

from beholden.model.time import Clock

_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 300.0


class Quarantine:
    """Counts failures in a row; after ``limit`` of them pauses, longer each time, up to five minutes."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._failures = 0
        self._pause = _FIRST_SECONDS
        self._until = 0.0
        self.reason = ""

    @property
    def active(self) -> bool:
        """Whether it is to be left alone now."""
        return bool(self.reason) and self._clock.monotonic() < self._until

    def failed(self, reason: str) -> bool:
        """One more failure; returns whether a pause begins by it."""
        self._failures += 1
        if self._failures < self._limit:
            return False
        self.reason = reason
        self._until = self._clock.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_SECONDS)
        self._failures = self._limit - 1  # after the pause one more failure is enough
        return True

    def impose(self, seconds: float, reason: str) -> None:
        """Pause now, for a reason found elsewhere."""
        self.reason = reason
        self._until = self._clock.monotonic() + seconds
        self._failures = self._limit - 1

    def succeeded(self) -> None:
        """It works again."""
        if self._failures:
            self._failures = 0
        if self.reason:
            self.reason = ""
            self._pause = _FIRST_SECONDS
