"""Where a picture differs from its background: a running average of a small grey picture.

Chosen over MOG2 because it found the same motion at a tenth of the cost (docs/design/analyse.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.decode import Luma
from beholden.analyse.mask import Polygon, covered
from beholden.model.event import Box

cv2.setNumThreads(1)  # threads of ours share cores with everybody else's

WIDTH = 320  # about: pictures are shrunk by a whole number
GRID_WIDTH, GRID_HEIGHT = 32, 18
_LEARN_SECONDS = 8.0  # time constant of the background
_WARM_UP_MS = 1000
_STEP = 20  # grey levels that differ from noise once blurred
_SMALLEST = 0.0002  # of the picture: 12 of 57,600 pixels
_WHOLE = 0.5  # of the picture: more than this is light or the camera, not something that moved
_MOST_REGIONS = 32
_ERODE = np.ones((3, 3), np.uint8)
_GROW = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Motion:
    """What moved in one picture.

    ``regions`` are boxes around it, largest first; ``fraction`` of the picture 0..1 that differs.
    ``settling`` is true while the background is being learned, at first and after the whole picture
    changed: then nobody can say what moved, and no regions are given. ``small`` is the picture shrunk to
    about 320 wide, ``mask`` of the same size what differs (255).
    """

    regions: tuple[Box, ...]
    fraction: float
    settling: bool
    mask: NDArray[np.uint8] | None = None
    small: NDArray[np.uint8] | None = None

    def grid(self) -> NDArray[np.uint8]:
        """How much moved in each of 32 x 18 cells, 0..255, [18, 32]."""
        if self.mask is None:
            return np.zeros((GRID_HEIGHT, GRID_WIDTH), np.uint8)
        small = cv2.resize(self.mask, (GRID_WIDTH, GRID_HEIGHT), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def share(self, box: Box) -> float:
        """How much of a box (0..1 of the picture) differs, 0..1; 0 while nobody can say what moves."""
        if self.mask is None:
            return 0.0
        height, width = self.mask.shape
        top, left = max(int(box.top * height), 0), max(int(box.left * width), 0)
        part = self.mask[top : math.ceil(box.bottom * height), left : math.ceil(box.right * width)]
        return cv2.countNonZero(part) / part.size if part.size else 0.0


class MotionDetector:
    """The background of one camera and what differs from it."""

    def __init__(self) -> None:
        self._background: NDArray[np.float32] | None = None
        self._seen_ms = 0
        self._settled_ms = 0

    def copy(self) -> MotionDetector:
        """The same background, to be tried on pictures that may not count."""
        other = MotionDetector()
        other._background = None if self._background is None else self._background.copy()
        other._seen_ms, other._settled_ms = self._seen_ms, self._settled_ms
        return other

    def look(self, luma: Luma, at_ms: int, ignored: tuple[Polygon, ...] = ()) -> Motion:
        """The motion in the next picture [height, width], taken at ``at_ms``. Any size; pictures may be
        any time apart. What moves in the ``ignored`` polygons does not count, but a change of the whole
        picture is one all the same."""
        small = _small(luma)
        if self._background is None or self._background.shape != small.shape:
            return self._restart(small, at_ms, 0.0)
        mask = self._differing(small, self._background)
        fraction = cv2.countNonZero(mask) / mask.size
        if fraction > _WHOLE:
            return self._restart(small, at_ms, fraction)
        if ignored:
            mask[covered(ignored, mask.shape[1], mask.shape[0]) > 0] = 0
            fraction = cv2.countNonZero(mask) / mask.size
        self._learn(small, at_ms)
        if at_ms < self._settled_ms:
            return Motion((), fraction, settling=True, small=small)
        return Motion(_regions(mask), fraction, settling=False, mask=mask, small=small)

    def _restart(self, small: NDArray[np.uint8], at_ms: int, fraction: float) -> Motion:
        self._background = small.astype(np.float32)
        self._seen_ms = at_ms
        self._settled_ms = at_ms + _WARM_UP_MS
        return Motion((), fraction, settling=True, small=small)

    def _differing(self, small: NDArray[np.uint8], background: NDArray[np.float32]) -> NDArray[np.uint8]:
        still = cv2.convertScaleAbs(background)
        # Light that changes everywhere moves the median; what moves does not, while it covers under half.
        apart = small[::6, ::8].astype(np.int16) - still[::6, ::8]
        shift = int(np.partition(apart.ravel(), apart.size // 2)[apart.size // 2])
        if shift:
            still = cv2.convertScaleAbs(background, beta=shift)
        _, mask = cv2.threshold(cv2.absdiff(small, still), _STEP, 255, cv2.THRESH_BINARY)
        if cv2.countNonZero(mask):  # specks go, the rest grows by a pixel
            mask = cv2.dilate(cv2.erode(mask, _ERODE), _GROW)
        return np.asarray(mask, np.uint8)

    def _learn(self, small: NDArray[np.uint8], at_ms: int) -> None:
        assert self._background is not None
        elapsed = min(max(0, at_ms - self._seen_ms) / 1000, _LEARN_SECONDS)
        cv2.accumulateWeighted(small, self._background, 1 - math.exp(-elapsed / _LEARN_SECONDS))
        self._seen_ms = at_ms


def _small(luma: Luma) -> NDArray[np.uint8]:
    # Whole numbers of pixels become one: ten times faster than a ratio such as 2.4.
    step = max(1, round(luma.shape[1] / WIDTH))
    rows, columns = max(1, luma.shape[0] // step), max(1, luma.shape[1] // step)
    small = cv2.resize(luma[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 1), np.uint8)


def _regions(mask: NDArray[np.uint8]) -> tuple[Box, ...]:
    if not cv2.countNonZero(mask):
        return ()
    height, width = mask.shape
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = [cv2.boundingRect(contour) for contour in contours]
    found = [rectangle for rectangle in found if rectangle[2] * rectangle[3] >= _SMALLEST * mask.size]
    found.sort(key=lambda rectangle: rectangle[2] * rectangle[3], reverse=True)
    return tuple(
        Box(x / width, y / height, (x + columns) / width, (y + rows) / height)
        for x, y, columns, rows in found[:_MOST_REGIONS]
    )
