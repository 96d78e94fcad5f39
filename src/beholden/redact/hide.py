"""Making parts of a picture unrecognisable for good: what is left of them is a few averages."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from beholden.analyse.detect.detector import Picture
from beholden.model.event import Box

CELLS = 5  # of the shorter side of a box: a face in the box of a whole person is one or two of them
_LEAST_PIXELS = 8  # a cell is never smaller


def hide(picture: Picture, boxes: Iterable[Box]) -> None:
    """Replace each box (0..1) by at most 5 averages along its shorter side, blurred, in place.

    A cell is the mean of hundreds of pixels of the box alone, so nothing finer than a cell can be had back
    from it, and no two boxes share one.
    """
    height, width = picture.shape[:2]
    for box in boxes:
        top, bottom = int(box.top * height), min(height, int(np.ceil(box.bottom * height)))
        left, right = int(box.left * width), min(width, int(np.ceil(box.right * width)))
        if bottom > top and right > left:
            picture[top:bottom, left:right] = _averaged(picture[top:bottom, left:right])


def _averaged(part: Picture) -> Picture:
    rows, columns = part.shape[:2]
    cell = max(min(rows, columns) / CELLS, _LEAST_PIXELS)
    few = (max(1, round(columns / cell)), max(1, round(rows / cell)))
    small = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(mosaic, (0, 0), cell / 3, borderType=cv2.BORDER_REPLICATE), np.uint8)
