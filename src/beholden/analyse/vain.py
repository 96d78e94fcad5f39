"""Where motion was looked at again and again and nothing was found: trees, rain, a shadow that wanders."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.motion import GRID_HEIGHT, GRID_WIDTH, Motion

_ENOUGH = 6  # looks at a cell
_FORGOTTEN_MS = 60_000  # time constant
_MOVES = 20  # of 255: how much of a cell differs
_BESIDE = np.ones((5, 5), np.uint8)  # two cells to each side
_SOON_MS = 2000  # what moves beside where it was so long ago may be the same thing
_GLANCE_MS, _WAIT_MS, _LONG_WAIT_MS = 380, 780, 1580
_ROW = 60  # looks one after the other in which nothing was found: about the first minute of it


class Vain:
    """The cells of one camera's motion grid in which motion means nothing by now. Times are epoch ms."""

    def __init__(self) -> None:
        self._looks: NDArray[np.float32] = np.zeros((GRID_HEIGHT, GRID_WIDTH), np.float32)
        self._beside = self._looks.copy()  # of what moved in the last look, there and around it
        self._at_ms = 0
        self._row = 0

    def looked(self, motion: Motion, at_ms: int, *, found: bool) -> None:
        """The detector was shown what moved, and found something or nothing. A find begins all anew."""
        if found:
            self._looks[:] = self._beside[:] = 0
            self._row = 0
        else:
            self._row = self._row + 1 if at_ms - self._at_ms < _FORGOTTEN_MS else 1
            self._count(motion.grid() > _MOVES, at_ms - self._at_ms)
        self._at_ms = at_ms

    def patience_ms(self, motion: Motion, at_ms: int) -> int:
        """The least time between two looks at it: long when all that moves is where looking was in vain,
        shorter when some of it may have moved on from there, none when it is new."""
        moving = motion.grid() > _MOVES
        if not moving.any():
            return 0
        if (self._looks[moving] >= _ENOUGH).all():
            return _LONG_WAIT_MS if self._row > _ROW else _WAIT_MS
        soon = 0 <= at_ms - self._at_ms <= _SOON_MS
        known = np.maximum(self._looks, self._beside)[moving]
        return _GLANCE_MS if soon and (known >= _ENOUGH).all() else 0

    def _count(self, moving: NDArray[np.bool_], elapsed: int) -> None:
        self._looks *= np.float32(1 - min(max(elapsed, 0), _FORGOTTEN_MS) / _FORGOTTEN_MS)
        if 0 <= elapsed <= _SOON_MS:
            before = np.minimum(self._beside, _ENOUGH * 2) - 1  # one look there confirms it
            np.maximum(self._looks, before, out=self._looks, where=moving)
        self._looks[moving] += 1
        self._beside = cv2.dilate(np.where(moving, self._looks, 0), _BESIDE).astype(np.float32)
