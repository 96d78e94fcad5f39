"""What was seen, remembered beside the footage: motion and boxes wait here until their segment is closed.

The recorder cuts segments and the analyser does not know where, so what was seen waits in memory until the
catalog has a segment of that time, and is then written to its side-cars. What no footage was kept of is
dropped: there is no memory of what was not recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from beholden.analyse.decode import Decoded
from beholden.analyse.grid import MotionSeconds, pack_blocks
from beholden.analyse.motion import Motion
from beholden.analyse.onlooker import Small
from beholden.catalog import Catalog, segments, volumes
from beholden.model.boxes import pack_frames
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.frame import TrackedFrame
from beholden.model.levels import pack_levels
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.volume import Volume

log = structlog.get_logger()

SETTLE_SECONDS = 20.0
PATIENCE_MS = 600_000  # a segment takes a minute, its row longer when the catalog is busy
_MOST_FRAMES = 20_000  # waiting for one camera: an hour at five a second


class Place(NamedTuple):
    """A closed segment: its volume's directory, its key, and where it ends (epoch milliseconds)."""

    root: Path
    key: SegmentKey
    end_ms: int


class Shelf(Protocol):
    """Where closed segments are. Real: ``CatalogShelf``."""

    def places(self, camera: int, start_ms: int, end_ms: int) -> list[Place]:
        """The camera's closed segments that overlap [start_ms, end_ms), in order; BeholdenError."""
        ...

    def growing(self, camera: int, end_ms: int) -> list[Place]:
        """Its segment that is being written, as if it ended at ``end_ms``; none when there is none."""
        ...


class CatalogShelf:
    """Segments as the catalog knows them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def places(self, camera: int, start_ms: int, end_ms: int) -> list[Place]:
        with self._catalog.read() as conn:
            roots = {row.id: Path(row.path) for row in volumes.all_volumes(conn)}
            rows = segments.between(conn, camera, StreamRole.MAIN, start_ms, end_ms)
        return [Place(roots[row.volume], row.key, row.end_ms) for row in rows if row.volume in roots]

    def growing(self, camera: int, end_ms: int) -> list[Place]:
        with self._catalog.read() as conn:
            known = [Volume(Path(row.path), row.uuid) for row in volumes.all_volumes(conn)]
            newest = segments.newest_end(conn, camera, StreamRole.MAIN) or 0
            keys = [
                (volume.path, key)
                for volume in known
                for key in volume.open_segments(camera, StreamRole.MAIN, newest)
                if not segments.exists(conn, key)
            ]
        return [Place(root, key, end_ms) for root, key in keys[-1:]]


class FakeShelf:
    """Segments a test puts there."""

    def __init__(self) -> None:
        self.all: list[Place] = []
        self.open: list[Place] = []
        self.broken: BeholdenError | None = None

    def places(self, camera: int, start_ms: int, end_ms: int) -> list[Place]:
        if self.broken is not None:
            raise self.broken
        return [
            place
            for place in self.all
            if place.key.camera == camera and place.key.start_ms < end_ms and place.end_ms > start_ms
        ]

    def growing(self, camera: int, end_ms: int) -> list[Place]:
        return [place._replace(end_ms=end_ms) for place in self.open if place.key.camera == camera]


@dataclass(slots=True)
class _Waiting:
    levels: dict[int, float] = field(default_factory=dict)  # second -> dB of full scale
    motion: MotionSeconds = field(default_factory=MotionSeconds)
    frames: deque[TrackedFrame] = field(default_factory=lambda: deque(maxlen=_MOST_FRAMES))

    def span(self) -> tuple[int, int] | None:
        """[first, last) in milliseconds of what waits."""
        seconds = [*self.motion.moved, *self.levels]
        times = [second * 1000 for second in seconds] + [frame.at_ms for frame in self.frames]
        return (min(times), max(times) + 1000) if times else None

    def take_levels(self, start: int, end: int) -> dict[int, float]:
        return {second: self.levels.pop(second) for second in sorted(self.levels) if start <= second < end}

    def take_frames(self, start_ms: int, end_ms: int) -> list[TrackedFrame]:
        taken = [frame for frame in self.frames if start_ms <= frame.at_ms < end_ms]
        if taken:
            kept = [frame for frame in self.frames if not start_ms <= frame.at_ms < end_ms]
            self.frames.clear()
            self.frames.extend(kept)
        return taken


class Memory:
    """Takes motion and frames from the analyser's threads; a thread of its own writes them every 20 s."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what has its footage already, the segment being written included, and stop."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.settle(growing=True)

    def motion(self, camera: int, at_ms: int, motion: Motion) -> None:
        """One analysed picture (a hook of the analyser)."""
        with self._lock:
            self._of(camera).motion.look(at_ms, motion)

    def heard(self, camera: int, at_ms: int, level_db: float) -> None:
        """How loud a second was (of the listener)."""
        with self._lock:
            self._of(camera).levels[at_ms // 1000] = level_db

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        """Nothing: motion is told apart."""

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:  # noqa: ARG002
        """What is in view in one picture (an onlooker of the analyser)."""
        with self._lock:
            frames = self._of(frame.camera).frames
            if frame.objects or (frames and frames[-1].objects):  # one empty frame says: the last has left
                frames.append(frame)

    def ended(self, camera: int) -> None:
        """Tracks are over; what was seen still waits for its footage."""

    def settle(self, *, growing: bool = False) -> int:
        """Write what has footage now, ``growing`` with that being written, and drop what will have none;
        returns the blocks written."""
        written = 0
        for camera in list(self._waiting):
            try:
                written += self._settle(camera, growing=growing)
            except (BeholdenError, OSError) as error:
                log.warning("what was seen is not kept yet", camera=camera, cause=str(error))
            self._drop_old(camera)
        return written

    def _run(self) -> None:
        while not self._stopping.wait(SETTLE_SECONDS):
            self.settle()

    def _of(self, camera: int) -> _Waiting:
        return self._waiting.setdefault(camera, _Waiting())

    def _settle(self, camera: int, *, growing: bool) -> int:
        with self._lock:
            span = self._waiting[camera].span()
        if span is None:
            return 0
        places = self._shelf.places(camera, *span)
        if growing:
            places += self._shelf.growing(camera, span[1])
        return sum(self._write(place) for place in places)

    def _write(self, place: Place) -> int:
        """What was seen in one segment. A disk that fails costs it: no second copy waits in memory."""
        key = place.key
        with self._lock:
            waiting = self._waiting[key.camera]
            seconds = waiting.motion.take(key.start_ms // 1000, place.end_ms // 1000)
            levels = waiting.take_levels(key.start_ms // 1000, place.end_ms // 1000)
            frames = waiting.take_frames(key.start_ms, place.end_ms)
        found = {
            SideKind.MOTION: pack_blocks(seconds),
            SideKind.SOUND: [pack_levels(levels)] if levels else [],
            SideKind.BOXES: [(key.start_ms, pack_frames(key.start_ms, frames))] if frames else [],
        }
        return sum(
            len(blocks)
            for kind, blocks in found.items()
            if blocks and sidecars.append(place.root, key, kind, blocks)
        )

    def _drop_old(self, camera: int) -> None:
        before = self._clock.now_ms() - PATIENCE_MS
        with self._lock:
            waiting = self._waiting[camera]
            waiting.motion.take(0, before // 1000)
            waiting.take_levels(0, before // 1000)
            waiting.take_frames(0, before)
