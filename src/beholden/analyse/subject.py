"""What rules know of one object in view: where it is, since when, how it moves, what it seems to be."""

from __future__ import annotations

import math
from collections import defaultdict, deque

from beholden.analyse.geometry import area, blend, overlap, strides_apart
from beholden.analyse.ground import Ground
from beholden.analyse.zones import foot
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedObject
from beholden.model.place import Point

_LEAST_HITS = 3
_LEAST_MS = 600
_STANDING_MS = 5000
_STANDING_HITS = 8
_STRIDE = 0.4  # of its own size: the least that counts as moving
_SAME_PLACE = 0.6
_SMOOTH = 0.35
_WINDOW_MS = 1500  # over which speed and heading are taken
_LEAST_WINDOW_MS = 500
_SPARSE_MS = 900


class Subject:
    """One object from its first frame on. ``scene``: it was there when watching began."""

    def __init__(self, item: TrackedObject, at_ms: int, scene: bool) -> None:
        self.track = item.track
        self.scene = scene
        self.first_ms = self.last_ms = at_ms
        self.hits = 0
        self.sparse = False
        self.moved = False
        self.rested = False  # was known to stand still for a while
        self.score = 0.0
        self.box = self.smooth = self._origin = self._anchor = item.box
        self.still_since = at_ms
        self.near_mover_ms: int | None = None  # when something that moves was last close to it
        self._votes: defaultdict[ObjectClass, float] = defaultdict(float)
        self._way: deque[tuple[int, Point]] = deque()
        self.see(item, at_ms)

    @property
    def kind(self) -> ObjectClass:
        """The class it was taken for most, weighted by score."""
        return max(self._votes, key=lambda kind: self._votes[kind])

    @property
    def foot(self) -> Point:
        """Where it stands now."""
        return foot(self.box)

    @property
    def size(self) -> float:
        """Of its box, in parts of the picture."""
        return area(self.box)

    @property
    def confirmed(self) -> bool:
        """Seen often enough to be there at all."""
        if self.sparse:
            return self.hits > 1
        return self.hits >= _LEAST_HITS and self.last_ms - self.first_ms >= _LEAST_MS

    @property
    def alive(self) -> bool:
        """Confirmed, and it moved, or is a person who stands: what a detector takes for an object and never
        moves is mostly none."""
        standing = self.last_ms - self.first_ms >= _STANDING_MS and self.hits >= _STANDING_HITS
        return self.confirmed and (self.moved or (self.kind is ObjectClass.PERSON and standing))

    def see(self, item: TrackedObject, at_ms: int) -> None:
        """It is in the next frame."""
        self.sparse = self.hits > 0 and at_ms - self.last_ms >= _SPARSE_MS
        self.last_ms = at_ms
        self.hits += 1
        self.box = item.box
        self.score = max(self.score, item.score)
        self._votes[item.kind] += max(item.score, 0.01)
        self.rested = self.rested or item.stationary
        self.smooth = blend(self.smooth, item.box, _SMOOTH if not self.sparse else 1.0)
        if overlap(self.smooth, self._anchor) < _SAME_PLACE:
            self._anchor, self.still_since = self.smooth, at_ms
            self.rested = False
        if strides_apart(self._origin, self.smooth) > _STRIDE:
            self.moved = True
        self._way.append((at_ms, foot(self.smooth)))
        while self._way[-1][0] - self._way[0][0] > _WINDOW_MS and len(self._way) > 2:
            self._way.popleft()

    def still_for(self, at_ms: int) -> int:
        """Milliseconds since it last moved away from where it stands."""
        return at_ms - self.still_since

    def heading(self) -> tuple[float, float] | None:
        """(degrees clockwise from "to the right" in the picture, way in sizes of its own) of late."""
        ends = self._ends()
        if ends is None:
            return None
        (_, (ax, ay)), (_, (bx, by)) = ends
        size = max(self.box.right - self.box.left, 1e-6), max(self.box.bottom - self.box.top, 1e-6)
        strides = max(abs(bx - ax) / size[0], abs(by - ay) / size[1])
        return math.degrees(math.atan2(by - ay, bx - ax)) % 360, strides

    def speed(self, ground: Ground) -> tuple[float, float] | None:
        """(km/h, heading on the ground in degrees from its first axis towards its second) of late."""
        ends = self._ends()
        if ends is None:
            return None
        (a_ms, a), (b_ms, b) = ends
        start, end = ground.metres(a), ground.metres(b)
        if start is None or end is None:
            return None
        across, along = end[0] - start[0], end[1] - start[1]
        kmh = math.hypot(across, along) / (b_ms - a_ms) * 3600
        return kmh, math.degrees(math.atan2(along, across)) % 360

    def is_near(self, box: Box) -> bool:
        """Whether its own box, half as large again, reaches the middle of another."""
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        wide, high = (self.box.right - self.box.left) / 4, (self.box.bottom - self.box.top) / 4
        return (
            self.box.left - wide <= x <= self.box.right + wide
            and self.box.top - high <= y <= self.box.bottom + high
        )

    def _ends(self) -> tuple[tuple[int, Point], tuple[int, Point]] | None:
        if not self._way or self._way[-1][0] - self._way[0][0] < _LEAST_WINDOW_MS:
            return None
        return self._way[0], self._way[-1]
