"""The motion grid: which of 32 x 18 cells of a camera's picture moved in each second. The layout of a block.

A block covers up to 64 whole seconds of one segment. It holds, little endian: ``watched`` u64 (bit i: second
i was analysed), ``moved`` (576 bits, most significant first: the cell moved in at least one of its seconds),
and for each of those cells in order a u64 whose bit i says that it moved in second i.
"""

from __future__ import annotations

import struct

COLUMNS, ROWS = 32, 18
CELLS = COLUMNS * ROWS
CELL_BYTES = CELLS // 8
SECONDS = 64  # in a block
WORD = struct.Struct("<Q")
HEAD_BYTES = WORD.size + CELL_BYTES


def cells_within(left: float, top: float, right: float, bottom: float) -> list[int]:
    """Cells that a rectangle (0..1 of the picture) touches, row by row; ValueError when it is none."""
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("a rectangle lies within the picture, left of its right and above its bottom")
    columns = range(int(left * COLUMNS), _last(right, COLUMNS))
    rows = range(int(top * ROWS), _last(bottom, ROWS))
    return [row * COLUMNS + column for row in rows for column in columns]


def _last(edge: float, count: int) -> int:
    """The cell after the last one touched; an edge exactly on a border does not touch the next cell."""
    return min(count, -int(-edge * count // 1))
