"""What waits to be decoded of one camera: bounded, and never far behind."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from beholden.model.media import AccessUnit, VideoFormat
from beholden.model.time import Clock

BEHIND_SECONDS = 1.0
_MOST_UNITS = 900
_MOST_BYTES = 16 * 1024 * 1024
_RELIEF_SECONDS = 10.0
_LONGEST_RELIEF_SECONDS = 120.0
_SOON_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream ended or lost pictures here; what follows begins with a keyframe."""

    stream_ended: bool


Item = AccessUnit | VideoFormat | Lost


class Feed:
    """Filled by the thread that reads the bus, emptied by the one that decodes.

    When the oldest picture has waited for a second the CPU is short: then only keyframes are kept, for ten
    seconds at first and longer each time it happens again. ``overloaded`` says so.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: deque[tuple[float, Item]] = deque()
        self._bytes = 0
        self._relief = _RELIEF_SECONDS
        self._relief_until = 0.0
        self._need_key = True
        self.dropped = 0
        self.patient = False  # nothing but keyframes needs to be handled at once
        self.urgent = False  # something that waits does

    @property
    def overloaded(self) -> bool:
        """Whether only keyframes are kept now because decoding fell behind."""
        return self._clock.monotonic() < self._relief_until

    def waiting_ms(self) -> int:
        """How long the oldest item has waited."""
        with self._lock:
            return round((self._clock.monotonic() - self._items[0][0]) * 1000) if self._items else 0

    def put(self, item: Item) -> bool:
        """Add what came from the bus; returns whether it should be handled at once."""
        now = self._clock.monotonic()
        with self._lock:
            if isinstance(item, AccessUnit):
                self._put_unit(now, item)
            else:
                self._need_key = True
                self._items.append((now, item))
            if self._items and now - self._items[0][0] > BEHIND_SECONDS:
                self._relieve(now)
            at_once = not self.patient or not isinstance(item, AccessUnit) or item.key
            self.urgent = self.urgent or at_once
        return at_once

    def take(self) -> Item | None:
        """The next item, or None."""
        with self._lock:
            if not self._items:
                self.urgent = False
                return None
            _, item = self._items.popleft()
            if isinstance(item, AccessUnit):
                self._bytes -= item.size
            return item

    def _put_unit(self, now: float, unit: AccessUnit) -> None:
        if not unit.key and (self._need_key or now < self._relief_until):
            self._need_key = True
            self.dropped += 1
            return
        if len(self._items) >= _MOST_UNITS or self._bytes + unit.size > _MOST_BYTES:
            self._keep_keyframes()
        self._need_key = False
        self._items.append((now, unit))
        self._bytes += unit.size

    def _relieve(self, now: float) -> None:
        again = self._relief_until > 0 and now < self._relief_until + _SOON_AGAIN_SECONDS
        self._relief = min(self._relief * 2, _LONGEST_RELIEF_SECONDS) if again else _RELIEF_SECONDS
        self._relief_until = now + self._relief
        self._keep_keyframes()
        self._need_key = True

    def _keep_keyframes(self) -> None:
        """Drop all but the newest keyframe; formats and losses stay, in order."""
        newest = next((u for _, u in reversed(self._items) if isinstance(u, AccessUnit) and u.key), None)
        kept: deque[tuple[float, Item]] = deque()
        now = self._clock.monotonic()
        for _, item in self._items:
            if not isinstance(item, AccessUnit) or item is newest:
                kept.append((now, item))
            else:
                self.dropped += 1
        self._items = kept
        self._bytes = newest.size if newest is not None else 0
