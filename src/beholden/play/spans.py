"""Plans of span files, kept for a while: a player asks for many parts of the same file."""

from __future__ import annotations

import threading
from collections import OrderedDict

from beholden.model.time import Clock
from beholden.play.footage import Footage
from beholden.play.mp4 import SpanFile, plan_span

KEPT_BYTES = 64 * 1024 * 1024
KEPT_SECONDS = 60.0
_EXTENT_BYTES = 250  # what an entry of the plan takes in memory, about

_Key = tuple[int, int, int]


class Spans:
    """Plans each span once a minute at most, unless it is still being recorded. Safe in several threads."""

    def __init__(self, footage: Footage, clock: Clock, kept_bytes: int = KEPT_BYTES) -> None:
        self._footage = footage
        self._clock = clock
        self._room = kept_bytes
        self._kept: OrderedDict[_Key, tuple[float, SpanFile]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, camera: int, start_ms: int, end_ms: int) -> SpanFile:
        """The plan; blocks, and raises, as ``plan_span``."""
        key, now = (camera, start_ms, end_ms), self._clock.monotonic()
        with self._lock:
            known = self._kept.get(key)
            if known is not None and now - known[0] < KEPT_SECONDS:
                self._kept.move_to_end(key)
                return known[1]
        made = plan_span(self._footage, camera, start_ms, end_ms)
        if not made.growing:
            self._keep(key, now, made)
        return made

    def _keep(self, key: _Key, now: float, made: SpanFile) -> None:
        with self._lock:
            self._kept[key] = (now, made)
            self._kept.move_to_end(key)
            while self._kept and sum(_weight(kept) for _, kept in self._kept.values()) > self._room:
                self._kept.popitem(last=False)


def _weight(span: SpanFile) -> int:
    return len(span.head) + _EXTENT_BYTES * len(span.extents)
