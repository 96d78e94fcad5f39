"""What moved in a part of the picture, over weeks: bits of side-cars, never pictures.

A day of one camera is read at once and handled as arrays, so that a month takes a fraction of a second
(``scripts/bench motion``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beholden.model.grid import CELLS, HEAD_BYTES, SECONDS, WORD
from beholden.store.sidecars import SideKind, read_blocks, sidecars_between

_ALL = np.uint64(2**SECONDS - 1)
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class MotionStretch:
    """[start_ms, end_ms) in which something moved, with pauses up to the gap allowed; ``seconds`` moved."""

    start_ms: int
    end_ms: int
    seconds: int


@dataclass(frozen=True, slots=True)
class MotionFound:
    """The newest stretches in order, how many there are in all, and how many seconds were watched."""

    stretches: list[MotionStretch]
    total: int
    watched_seconds: int


@dataclass(frozen=True, slots=True)
class MotionHeat:
    """``seconds``: in how many each of the 576 cells moved, row by row."""

    seconds: list[int]
    watched_seconds: int


@dataclass(frozen=True, slots=True)
class _Day:
    """The blocks of one side-car as arrays: one entry a block, and one a row (a cell that moved)."""

    first: NDArray[np.int64]  # [blocks] seconds since the epoch
    watched: Words  # [blocks]
    block: NDArray[np.int64]  # [rows] the block a row belongs to
    cell: NDArray[np.int64]  # [rows] its cell
    bits: Words  # [rows] seconds in which it moved

    @property
    def watched_seconds(self) -> int:
        """How many seconds were watched."""
        return int(np.bitwise_count(self.watched).sum())


def search(
    roots: Iterable[Path],
    camera: int,
    cells: Sequence[int],
    start_ms: int,
    end_ms: int,
    gap_seconds: int,
    most: int = 1000,
) -> MotionFound:
    """When something moved in any of these cells, within [start_ms, end_ms); the newest ``most`` stretches.
    Blocks for the disk."""
    wanted = np.zeros(CELLS, np.bool_)
    wanted[list(cells)] = True
    moved, watched = [np.zeros(0, np.int64)], 0
    for day in _days(roots, camera, start_ms, end_ms):
        watched += day.watched_seconds
        rows = np.flatnonzero(wanted[day.cell])
        if rows.size:
            block, begins = np.unique(day.block[rows], return_index=True)
            moved.append(_seconds(day.first[block], np.bitwise_or.reduceat(day.bits[rows], begins)))
    seconds = np.sort(np.concatenate(moved))
    total, stretches = _stretches(seconds[np.diff(seconds, prepend=-1) > 0], gap_seconds, most)
    return MotionFound(stretches, total, watched)


def heat(roots: Iterable[Path], camera: int, start_ms: int, end_ms: int) -> MotionHeat:
    """In how many seconds of [start_ms, end_ms) each cell moved. Blocks for the disk."""
    total, watched = np.zeros(CELLS, np.int64), 0
    for day in _days(roots, camera, start_ms, end_ms):
        counts = np.bitwise_count(day.bits)
        total += np.bincount(day.cell, weights=counts, minlength=CELLS).astype(np.int64)
        watched += day.watched_seconds
    return MotionHeat(total.tolist(), watched)


def _days(roots: Iterable[Path], camera: int, start_ms: int, end_ms: int) -> Iterator[_Day]:
    for root in roots:
        for path in sidecars_between(root, camera, SideKind.MOTION, start_ms, end_ms):
            day = _read(path)
            if day is not None:
                yield _clipped(day, start_ms // 1000, -(-end_ms // 1000))


def _read(path: Path) -> _Day | None:
    blocks = [block for block in read_blocks(path, SideKind.MOTION) if len(block.payload) >= HEAD_BYTES]
    if not blocks:
        return None
    heads = np.frombuffer(b"".join(block.payload[:HEAD_BYTES] for block in blocks), np.uint8)
    heads = heads.reshape(-1, HEAD_BYTES)
    moved = np.unpackbits(heads[:, WORD.size :], axis=1)
    sizes = np.array([len(block.payload) for block in blocks])
    whole = sizes == HEAD_BYTES + moved.sum(axis=1, dtype=np.int64) * WORD.size
    block, cell = np.divmod(np.flatnonzero(moved[whole].view(np.bool_)), CELLS)
    rows = b"".join(
        item.payload[HEAD_BYTES:] for item, good in zip(blocks, whole.tolist(), strict=True) if good
    )
    return _Day(
        np.array([item.first_ms // 1000 for item in blocks], np.int64)[whole],
        np.ascontiguousarray(heads[whole][:, : WORD.size]).view("<u8").ravel(),
        block,
        cell,
        np.frombuffer(rows, "<u8"),
    )


def _clipped(day: _Day, start: int, end: int) -> _Day:
    """The same without seconds outside [start, end)."""
    allowed = np.full(day.first.shape, _ALL)
    for number in np.flatnonzero((day.first < start) | (day.first + SECONDS > end)):
        first = int(day.first[number])
        bits = [bit for bit in range(SECONDS) if start <= first + bit < end]
        allowed[number] = sum(1 << bit for bit in bits)
    return _Day(day.first, day.watched & allowed, day.block, day.cell, day.bits & allowed[day.block])


def _seconds(first: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
    """The seconds since the epoch whose bits are set."""
    bits = np.unpackbits(
        np.ascontiguousarray(words, "<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little"
    )
    block, second = np.nonzero(bits)
    return first[block] + second


def _stretches(seconds: NDArray[np.int64], gap_seconds: int, most: int) -> tuple[int, list[MotionStretch]]:
    if not seconds.size:
        return 0, []
    breaks = np.flatnonzero(np.diff(seconds) > gap_seconds + 1)
    begins = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [seconds.size - 1]])
    newest = zip(begins[-most:].tolist(), ends[-most:].tolist(), strict=True)
    return begins.size, [
        MotionStretch(int(seconds[begin]) * 1000, int(seconds[end]) * 1000 + 1000, end - begin + 1)
        for begin, end in newest
    ]
