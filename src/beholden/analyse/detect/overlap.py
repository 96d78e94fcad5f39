"""How much boxes overlap, and keeping the best of those that show the same thing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]  # [n, 4] left, top, right, bottom


def overlaps(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Intersection over union of each of ``first`` [n, 4] with each of ``second`` [m, 4]: [n, m], 0..1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    total = _area(first)[:, None] + _area(second)[None] - shared
    ratio: NDArray[np.float32] = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
    return ratio


def suppress(
    boxes: Boxes, scores: NDArray[np.float32], classes: NDArray[np.int64], limit: float
) -> list[int]:
    """Greedy non-maximum suppression within each class; the indices kept, best score first."""
    if not len(boxes):
        return []
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    kept = cv2.dnn.NMSBoxesBatched(corners, scores.tolist(), classes.tolist(), 0.0, limit)
    return [int(index) for index in kept]


def _area(boxes: Boxes) -> NDArray[np.float32]:
    sides: NDArray[np.float32] = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    area: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return area
