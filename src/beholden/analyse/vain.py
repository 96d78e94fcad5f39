"""Where motion was looked at again and again and nothing was found: swaying trees, rain, a flag."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.motion import GRID_HEIGHT, GRID_WIDTH, Motion

_ENOUGH = 6  # looks at a cell
_FORGOTTEN_MS = 60_000  # time constant
_MOVES = 20  # of 255: how much of a cell differs


class Vain:
    """The cells of one camera's motion grid in which motion means nothing by now. Times are epoch ms."""

    def __init__(self) -> None:
        self._looks: NDArray[np.float32] = np.zeros((GRID_HEIGHT, GRID_WIDTH), np.float32)
        self._at_ms = 0

    def looked(self, motion: Motion, at_ms: int, *, found: bool) -> None:
        """The detector was shown what moved, and found something or nothing. A find begins all anew."""
        if found:
            self._looks[:] = 0
        else:
            elapsed = min(max(at_ms - self._at_ms, 0), _FORGOTTEN_MS)
            self._looks *= np.float32(1 - elapsed / _FORGOTTEN_MS)
            self._looks[motion.grid() > _MOVES] += 1
        self._at_ms = at_ms

    def knows(self, motion: Motion) -> bool:
        """Whether all that moves is where looking was in vain."""
        moving = motion.grid() > _MOVES
        return bool(moving.any()) and bool((self._looks[moving] >= _ENOUGH).all())
