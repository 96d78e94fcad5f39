"""The seam ``Source``: one pull of one stream. Beside it the fake that tests use.

A source never blocks. It is driven by ``poll`` and hands what it reads to a ``StreamSink``; it ends by
raising ``SourceError`` from ``poll``, after which only ``close`` may be called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from beholden.ingest.status import SourceStatus
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, StreamSink, Track
from beholden.model.time import Clock


class SourceError(BeholdenError):
    """A pull ended. ``state`` is what a person is shown, ``cause`` what the gap will say.

    ``fallback`` says that another client may still be able to talk to this server (see ``pyav``).
    """

    def __init__(
        self,
        state: StreamState,
        cause: GapCause,
        code: str,
        message: str,
        next_step: str = "",
        fallback: bool = False,
    ) -> None:
        super().__init__(code, message, next_step)
        self.state = state
        self.cause = cause
        self.fallback = fallback


class Source(Protocol):
    """One pull of one stream."""

    status: SourceStatus

    def poll(self, now: float) -> None:
        """Read all there is and drive timers. ``now`` is monotonic seconds. Raises SourceError."""
        ...

    def fileno(self) -> int | None:
        """The descriptor to wait on; None while there is none."""
        ...

    def wants_write(self) -> bool:
        """Whether the descriptor should be watched for writing as well."""
        ...

    def close(self) -> None:
        """End the pull, telling the camera if that is possible. May be called more than once."""
        ...


class SourceFactory(Protocol):
    """Makes a source. ``after_pts`` is the newest video time a former pull of this stream delivered
    (0: none); the new one begins later, after ``on_discontinuity``."""

    def __call__(
        self, address: StreamAddress, sink: StreamSink, clock: Clock, *, after_pts: int = 0
    ) -> Source: ...


class FakeSource:
    """Plays a script: each poll hands over the next step. A step is a list of units and formats, or a
    ``SourceError`` to end with. When the script is over, nothing more comes (a stall)."""

    def __init__(
        self, sink: StreamSink, clock: Clock, script: Iterable[list[AccessUnit | StreamFormat] | SourceError]
    ) -> None:
        self.status = SourceStatus(connected=True, transport="fake")
        self.closed = False
        self._sink = sink
        self._clock = clock
        self._script = iter(script)

    def poll(self, now: float) -> None:  # noqa: ARG002 (the contract)
        step = next(self._script, [])
        if isinstance(step, SourceError):
            raise step
        for item in step:
            if isinstance(item, StreamFormat):
                self.status.format = item
                self._sink.on_format(item)
            else:
                self._deliver(item)

    def _deliver(self, unit: AccessUnit) -> None:
        self._sink.on_access_unit(unit)
        self.status.playing = True
        self.status.bytes += unit.size
        self.status.last_unit_ms = self._clock.now_ms()
        if unit.track is Track.VIDEO:
            self.status.pictures += 1
            self.status.newest_pts = max(self.status.newest_pts, unit.pts)

    def fileno(self) -> int | None:
        return None

    def wants_write(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
