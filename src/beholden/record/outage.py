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
_REFUSALS = (GapCause.LOGIN_REFUSED, GapCause.STREAM_UNSUPPORTED)


class Outage:
    """Opens and closes the gaps of one recorded stream. The first cause of an outage counts,
    until one is found that a person must act on (``learn``).

    A gap ends when the file after it lies on the disk (``landed``, from the writer thread), not when its
    first picture arrives; what is to be said of later times waits until that is decided. All else is called
    from the ingest thread.
    """

    def __init__(self, camera: int, stream: StreamRole, put: Callable[[IndexItem], None]) -> None:
        self._camera = camera
        self._stream = stream
        self._put = put
        self._lock = threading.Lock()
        self._open = False
        self._cause: GapCause | None = None
        # The first file of a run ends whatever gap a former run left open.
        self._fresh = True
        # Files on their way that are to end a gap, by their start, oldest first; what to say after each.
        self._landings: dict[int, list[IndexItem]] = {}

    def open(self, start_ms: int, cause: GapCause, detail: str) -> None:
        """Footage stopped at ``start_ms``."""
        with self._lock:
            if not self._open:
                self._open, self._cause = True, cause
                self._say(OpenGap(self._camera, self._stream, start_ms, cause, detail))

    def turn(self, at_ms: int, cause: GapCause, detail: str) -> None:
        """From ``at_ms`` on footage is missing for another reason, or begins to be missing."""
        with self._lock:
            if self._open or self._fresh:  # also what a former run left open ends here
                self._say(CloseGap(self._camera, self._stream, at_ms))
            self._open, self._cause = True, cause
            self._say(OpenGap(self._camera, self._stream, at_ms, cause, detail))

    def learn(self, at_ms: int, cause: GapCause, detail: str) -> None:
        """A camera that was lost turns out to refuse us: from ``at_ms`` on that is the cause."""
        if self._open and cause in _REFUSALS and self._cause not in _REFUSALS:
            self.turn(at_ms, cause, detail)

    def begin_file(self, kept_tick: int, start_tick: int, cause: GapCause, detail: str) -> bool:
        """A file is to begin at ``start_tick``; kept footage ended at ``kept_tick`` (0: none in this run).

        A hole that nobody has explained yet gets ``cause``. Returns whether ``landed`` or ``failed`` must
        follow.
        """
        kept_ms, start_ms = ticks_to_ms(kept_tick), ticks_to_ms(start_tick)
        if kept_tick and start_ms - kept_ms > TOLERATED_MS:
            self.open(kept_ms, cause, detail)
        with self._lock:
            landing = self._open or self._fresh
            if landing:
                self._landings.setdefault(start_ms, [])
            self._open = self._fresh = False
            return landing

    def landed(self, start_ms: int) -> None:
        """The file that began at ``start_ms`` and followed a gap is on the disk."""
        with self._lock:
            self._settle(start_ms, [CloseGap(self._camera, self._stream, start_ms)])

    def failed(self, start_ms: int) -> None:
        """The file that began then could not be written: the gap before it goes on, if there was one."""
        with self._lock:
            self._fresh = True
            self._settle(start_ms, [])

    def _settle(self, start_ms: int, first: list[IndexItem]) -> None:
        told = first + self._landings.get(start_ms, [])
        order = list(self._landings)
        before = order.index(start_ms) if start_ms in self._landings else 0
        self._landings.pop(start_ms, None)
        if before:
            self._landings[order[before - 1]].extend(told)
            return
        for item in told:
            self._put(item)

    def _say(self, item: IndexItem) -> None:
        if self._landings:
            self._landings[next(reversed(self._landings))].append(item)
        else:
            self._put(item)
