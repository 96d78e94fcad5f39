"""Between the thread that decodes and the one that detects: looks, bounded in number, bytes and age."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

from beholden.analyse.decode import Decoded
from beholden.analyse.motion import Motion
from beholden.model.time import Clock

OLDEST_SECONDS = 1.0
_MOST_BYTES = 96 * 1024 * 1024
_MOST_LIVE = 4


@dataclass(frozen=True, slots=True)
class Look:
    """One picture worth looking at, what moved in it, and the time since the one analysed before."""

    picture: Decoded
    motion: Motion
    interval_ms: int

    @property
    def size(self) -> int:
        """About the bytes it holds: brightness and half as much colour."""
        return self.picture.width * self.picture.height * 3 // 2


class Backlog:
    """The memory all cameras together may use for looks that wait in line."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._lock = threading.Lock()
        self._free = most

    def claim(self, size: int) -> bool:
        """Whether there is room for so many bytes, which are then taken."""
        with self._lock:
            granted = size <= self._free
            self._free -= size if granted else 0
            return granted

    def release(self, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._free += size


@dataclass(slots=True)
class _Waiting:
    look: Look
    since: float
    claimed: int  # bytes of the backlog


class Mailbox:
    """The looks of one camera, in order. They wait a second at most, and while the backlog has room. An end
    is not lost."""

    def __init__(self, clock: Clock, backlog: Backlog) -> None:
        self._clock = clock
        self._backlog = backlog
        self._lock = threading.Lock()
        self._looks: deque[_Waiting] = deque()
        self._ended = False

    @property
    def waiting(self) -> bool:
        """Whether a look or an end is there to be taken."""
        return bool(self._looks) or self._ended

    def put(self, look: Look, *, in_line: bool = False) -> None:
        """Add a look. Four live ones wait at most, since pictures may come in bursts: then the oldest gives
        way, and what moved in it still counts. Those of a replayed GOP all wait. Without room in the backlog
        a look replaces the one before."""
        with self._lock:
            if not in_line and len(self._looks) >= _MOST_LIVE:
                left_out = self._pop()
                self._looks[0].look = _with_motion_of(self._looks[0].look, left_out)
            claimed = look.size if self._backlog.claim(look.size) else 0
            if self._looks and not claimed:
                look, claimed = _with_motion_of(look, self._looks[-1].look), self._looks.pop().claimed
            self._looks.append(_Waiting(look, self._clock.monotonic(), claimed))

    def end(self) -> None:
        """The stream ended or jumped in time: what was in view must be let go."""
        with self._lock:
            while self._looks:
                self._pop()
            self._ended = True

    def take(self) -> tuple[bool, Look | None]:
        """(whether the stream ended before, the next look or None). What waited too long is left out."""
        with self._lock:
            ended, self._ended = self._ended, False
            oldest = self._clock.monotonic() - OLDEST_SECONDS
            while len(self._looks) > 1 and self._looks[0].since < oldest:
                self._pop()
            return ended, self._pop() if self._looks else None

    def _pop(self) -> Look:
        first = self._looks.popleft()
        self._backlog.release(first.claimed)
        return first.look


def _with_motion_of(look: Look, old: Look) -> Look:
    if not old.motion.regions or look.motion.regions:
        return look
    return replace(look, motion=replace(look.motion, regions=old.motion.regions))
