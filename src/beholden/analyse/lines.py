"""Who crosses a line, and which way. Points are 0..1 of the picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from beholden.model.place import Point

MARGIN = 0.01  # this near to a line nobody can say on which side an object is: boxes jitter


class Line:
    """A directed line of two or more points."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._pieces = tuple(itertools.pairwise(points))

    def distance(self, point: Point) -> float:
        """To the nearest of its points, in parts of the picture."""
        return min(_distance(point, start, end) for start, end in self._pieces)

    def crossed(self, before: Point, after: Point) -> int:
        """1 when the way from ``before`` to ``after`` goes over it from the left to the right as seen along
        it (in), -1 the other way (out), 0 when it does not, or there and back."""
        return sum(_crossed(start, end, before, after) for start, end in self._pieces)


class Crosser:
    """One object and one line: remembers the last point that was clearly beside the line."""

    __slots__ = ("_beside",)

    def __init__(self) -> None:
        self._beside: Point | None = None

    def move(self, line: Line, point: Point) -> int:
        """The object is here now; 1 in, -1 out, 0 nothing."""
        if line.distance(point) < MARGIN:
            return 0
        before, self._beside = self._beside, point
        if before is None:
            return 0
        went = line.crossed(before, point)
        return (went > 0) - (went < 0)


def _crossed(start: Point, end: Point, before: Point, after: Point) -> int:
    first, second = _side(start, end, before), _side(start, end, after)
    if (first > 0) == (second > 0):
        return 0
    # Half open, so that a way through a joint of two pieces is counted once.
    if (_side(before, after, start) > 0) == (_side(before, after, end) > 0):
        return 0
    return 1 if second > 0 else -1


def _side(start: Point, end: Point, point: Point) -> float:
    """Positive to the right of the way from start to end, as seen along it (y grows downwards)."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _distance(point: Point, start: Point, end: Point) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    share = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / length if length else 0.0
    share = min(1.0, max(0.0, share))
    return math.hypot(point[0] - start[0] - share * dx, point[1] - start[1] - share * dy)
