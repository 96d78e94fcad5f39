"""From the picture to the ground: a homography from four measured points."""

from __future__ import annotations

import math

import numpy as np

from beholden.model.place import GroundPlane, Point

LEAST_DEPTH = 0.05  # nearer to the horizon a pixel is too many metres


class Ground:
    """Where points of the picture lie on the measured ground."""

    def __init__(self, plane: GroundPlane) -> None:
        rows, right = [], []
        for (x, y), (across, along) in zip(plane.points, plane.metres, strict=True):
            rows.append([x, y, 1, 0, 0, 0, -x * across, -y * across])
            rows.append([0, 0, 0, x, y, 1, -x * along, -y * along])
            right += [across, along]
        solved = np.linalg.solve(np.array(rows, np.float64), np.array(right, np.float64))
        self._rows = [float(value) for value in solved]
        depths = [self._depth(point) for point in plane.points]
        self._sign = math.copysign(1.0, sum(depths))
        self._least = LEAST_DEPTH * max(abs(depth) for depth in depths)

    def metres(self, point: Point) -> Point | None:
        """Metres on the grid of the plane; None at and above the horizon."""
        depth = self._depth(point)
        if depth * self._sign < self._least:
            return None
        a, b, c, d, e, f, *_ = self._rows
        x, y = point
        return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth

    def _depth(self, point: Point) -> float:
        return self._rows[6] * point[0] + self._rows[7] * point[1] + 1.0
