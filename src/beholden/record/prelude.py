"""The last seconds of a stream, in memory, from a keyframe on: what came before an event or a listener."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from beholden.model.media import AccessUnit, Track
from beholden.model.time import ticks_to_ms


@dataclass(slots=True)
class _Gop:
    start_ms: int
    units: list[AccessUnit] = field(default_factory=list)
    bytes: int = 0


class Prelude:
    """Whole GOPs that reach ``seconds`` back (0: the newest alone), bounded in bytes of media.

    What does not fit goes, the oldest first; a GOP that alone is too large goes too, and the next keyframe
    begins anew.
    """

    def __init__(self, limit_bytes: int, seconds: float = 0.0) -> None:
        self.limit_bytes = limit_bytes
        self.seconds = seconds
        self.bytes = 0
        self.crowded = False  # whether the newest trim was for bytes, and cost time that was asked for
        self._gops: deque[_Gop] = deque()

    @property
    def start_ms(self) -> int | None:
        """Where the oldest GOP begins; None while there is none."""
        return self._gops[0].start_ms if self._gops else None

    def add(self, unit: AccessUnit) -> None:
        """One more unit; those before the first keyframe are of no use."""
        if unit.key and unit.track is Track.VIDEO:
            self._gops.append(_Gop(ticks_to_ms(unit.pts)))
            self._trim_old()
        elif not self._gops:
            return
        newest = self._gops[-1]
        newest.units.append(unit)
        newest.bytes += unit.size
        self.bytes += unit.size
        while self.bytes > self.limit_bytes:
            self.crowded = True
            self._drop_oldest()

    def newest(self) -> Iterable[AccessUnit]:
        """The units since the newest keyframe."""
        return self._gops[-1].units if self._gops else ()

    def take(self, since_ms: int) -> list[AccessUnit]:
        """The units from the last keyframe at or before ``since_ms`` (or from the oldest) on; forget all."""
        first = 0
        for index, gop in enumerate(self._gops):
            if gop.start_ms <= since_ms:
                first = index
        taken = [unit for index, gop in enumerate(self._gops) if index >= first for unit in gop.units]
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget all, until the next keyframe."""
        self._gops.clear()
        self.bytes = 0

    def _trim_old(self) -> None:
        wanted_ms = self._gops[-1].start_ms - round(self.seconds * 1000)
        while len(self._gops) > 1 and self._gops[1].start_ms <= wanted_ms:
            self.crowded = False
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.bytes -= self._gops.popleft().bytes
