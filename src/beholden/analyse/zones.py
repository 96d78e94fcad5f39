"""Whether a point lies in a zone. Points and corners are 0..1 of the picture."""

from __future__ import annotations

from collections.abc import Sequence

from beholden.catalog.drawing import contains
from beholden.model.event import Box
from beholden.model.place import Point


class Zone:
    """A polygon made ready to be asked often: most points are far from it and cost four comparisons."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = tuple(points)
        across, down = zip(*self._points, strict=True)
        self._left, self._right = min(across), max(across)
        self._top, self._bottom = min(down), max(down)

    def contains(self, point: Point) -> bool:
        """Whether the point is inside (``catalog.drawing.contains``)."""
        x, y = point
        if not (self._left <= x <= self._right and self._top <= y <= self._bottom):
            return False
        return contains(self._points, point)


def foot(box: Box) -> Point:
    """Where an object stands: the middle of its lower edge."""
    return (box.left + box.right) / 2, box.bottom
