"""Seconds of motion gathered from pictures, and packed into blocks of the side-car (model.grid)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.motion import Motion
from beholden.model.grid import CELL_BYTES, CELLS, SECONDS, WORD

_LEAST = 26  # of 255: a tenth of a cell
_LONGEST_MS = 10_000  # seconds between two looks further apart were not watched
Cells = NDArray[np.bool_]  # [CELLS]


@dataclass(slots=True)
class MotionSeconds:
    """One camera's seconds since the epoch that were watched, and the cells that moved in each."""

    moved: dict[int, Cells | None] = field(default_factory=dict)  # None: watched, nothing moved
    _last_ms: int = 0

    def look(self, at_ms: int, motion: Motion) -> None:
        """One analysed picture. What lies between it and the one before counts as watched."""
        second = at_ms // 1000
        if 0 < at_ms - self._last_ms <= _LONGEST_MS:
            for between in range(self._last_ms // 1000 + 1, second):
                self.moved.setdefault(between, None)
        self._last_ms = at_ms
        known = self.moved.setdefault(second, None)
        if motion.regions:
            cells = (motion.grid() >= _LEAST).ravel()
            self.moved[second] = cells if known is None else known | cells

    def take(self, start: int, end: int) -> dict[int, Cells | None]:
        """Remove and return the seconds in [start, end)."""
        return {second: self.moved.pop(second) for second in sorted(self.moved) if start <= second < end}


def pack_blocks(seconds: Mapping[int, Cells | None]) -> list[tuple[int, bytes]]:
    """(first instant in epoch milliseconds, payload) of blocks that hold these seconds."""
    blocks: dict[int, dict[int, Cells | None]] = {}
    begin: int | None = None
    for second in sorted(seconds):
        if begin is None or second - begin >= SECONDS:
            begin = second
        blocks.setdefault(begin, {})[second - begin] = seconds[second]
    return [(begin * 1000, _pack(block)) for begin, block in blocks.items()]


def _pack(block: Mapping[int, Cells | None]) -> bytes:
    bits = np.zeros((CELLS, SECONDS), np.bool_)
    for second, cells in block.items():
        if cells is not None:
            bits[:, second] = cells
    moved = bits.any(axis=1)
    rows = np.packbits(bits[moved], axis=1, bitorder="little")
    watched = WORD.pack(sum(1 << second for second in block))
    head = np.packbits(moved).tobytes()
    assert len(head) == CELL_BYTES
    return watched + head + rows.tobytes()
