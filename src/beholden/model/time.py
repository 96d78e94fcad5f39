"""Time in three shapes: epoch milliseconds (tables, API), 90 kHz ticks (media), aware datetimes (edges).

All stored times are UTC integers. A naive datetime has no place anywhere and is refused.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol

TICKS_PER_SECOND: Final = 90_000
TICKS_PER_MS: Final = 90


class NaiveDatetimeError(TypeError):
    """A datetime without a zone was given where an instant is needed."""


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime; raises NaiveDatetimeError for a naive one."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NaiveDatetimeError("a datetime without a time zone is not an instant")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).replace(microsecond=ms % 1000 * 1000)


def to_rfc3339(ms: int) -> str:
    """``2026-11-23T22:15:04.250Z`` for epoch milliseconds."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 text with zone; raises ValueError or NaiveDatetimeError."""
    return to_ms(datetime.fromisoformat(text))


def ticks_to_ms(ticks: int) -> int:
    """Epoch milliseconds (floor) of 90 kHz ticks since the Unix epoch."""
    return ticks // TICKS_PER_MS


def ms_to_ticks(ms: int) -> int:
    """90 kHz ticks since the Unix epoch of epoch milliseconds."""
    return ms * TICKS_PER_MS


class Clock(Protocol):
    """The seam through which all code asks for the time."""

    def now_ms(self) -> int:
        """Wall time, epoch milliseconds UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step backwards; origin undefined."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._now_ms = now_ms
        self._monotonic = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now_ms += round(seconds * 1000)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Step the wall clock alone, as NTP may do."""
        self._now_ms += round(seconds * 1000)
