"""Which gap a stream is in: every hole in kept footage gets one cause."""

from __future__ import annotations

import threading
from collections.abc import Callable

from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.time import ticks_to_ms
from beholden.record.index import CloseGap, IndexItem, OpenGap

# Rounding and jitter may part two files by this much; more is a hole that needs a cause.
TOLERATED_MS = 250


class Outage:
    """Opens and closes the gaps of one recorded stream. The first cause of an outage counts.

    A gap ends when the file after it lies on the disk (``landed``, from the writer thread), not when its
    first picture arrives; a new outage that begins in between waits until that is decided. All else is
    called from the ingest thread.
    """

    def __init__(self, camera: int, stream: StreamRole, put: Callable[[IndexItem], None]) -> None:
        self._camera = camera
        self._stream = stream
        self._put = put
        self._lock = threading.Lock()
        self._open = False
        # The first file of a run ends whatever gap a former run left open.
        self._fresh = True
        self._landing = False
        self._deferred: OpenGap | None = None

    def open(self, start_ms: int, cause: GapCause, detail: str) -> None:
        """Footage stopped at ``start_ms``."""
        with self._lock:
            if self._open:
                return
            self._open = True
            gap = OpenGap(self._camera, self._stream, start_ms, cause, detail)
            if self._landing:
                self._deferred = gap
            else:
                self._put(gap)

    def begin_file(self, kept_tick: int, start_tick: int, cause: GapCause, detail: str) -> bool:
        """A file is to begin at ``start_tick``; kept footage ended at ``kept_tick`` (0: none in this run).

        A hole that nobody has explained yet gets ``cause``. Returns whether ``landed`` or ``failed`` must
        follow.
        """
        kept_ms, start_ms = ticks_to_ms(kept_tick), ticks_to_ms(start_tick)
        if kept_tick and start_ms - kept_ms > TOLERATED_MS:
            self.open(kept_ms, cause, detail)
        with self._lock:
            self._landing = self._open or self._fresh
            self._open = self._fresh = False
            return self._landing

    def landed(self, start_ms: int) -> None:
        """The file that followed the gap is on the disk."""
        with self._lock:
            self._put(CloseGap(self._camera, self._stream, start_ms))
            self._settle()

    def failed(self) -> None:
        """The file that was to end the gap could not be written: the gap goes on."""
        with self._lock:
            self._fresh = True
            self._settle()

    def _settle(self) -> None:
        self._landing = False
        if self._deferred is not None:
            self._put(self._deferred)
            self._deferred = None
