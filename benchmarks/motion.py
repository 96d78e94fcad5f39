"""Motion memory: what moved in a rectangle during thirty days of one camera, and a heat map of them.

A month of side-cars is made first: 43,200 minutes, in a busy one of which something crosses the picture. Then
searches through the product's own function are timed, side-cars in the page cache as on a machine in use.
The peer is the same bits kept as one file beside each recorded minute, opened one by one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from beholden.analyse.grid import Cells, pack_blocks
from beholden.model.camera import StreamRole
from beholden.model.grid import CELLS, COLUMNS, ROWS, cells_within
from beholden.model.segment import SegmentKey
from beholden.play.motion_search import heat, search
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from benchmarks.figures import Figures

SUMMARY = "Seconds to find what moved in a rectangle during one camera-month"
FIGURES = {
    "month_search_seconds": "one rectangle, thirty days, half of all minutes busy (at most 1 wanted)",
    "month_search_cpu_seconds": "the same search, CPU of the thread: what a machine of its own takes",
    "everywhere_search_seconds": "the whole picture, the same month",
    "heat_seconds": "a heat map of the same month",
    "files_seconds": "only opening and reading one small file beside each minute instead",
    "megabytes": "of side-cars for the month",
}
_START_MS = 1_767_225_600_000
_HOUR = 3_600_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long and how busy."""
    parser.add_argument("--days", type=int, default=30, metavar="N", help="length of the range (default: 30)")
    parser.add_argument(
        "--busy", type=float, default=0.5, metavar="SHARE", help="of all minutes, 0..1 (default: 0.5)"
    )


def run(options: argparse.Namespace) -> Figures:
    """Make a month, then search it."""
    with tempfile.TemporaryDirectory() as folder:
        root, single = Path(folder) / "footage", Path(folder) / "single"
        size = _make(root, single, options.days, options.busy)
        end = _START_MS + options.days * 24 * _HOUR
        small, whole = cells_within(0.4, 0.4, 0.6, 0.6), list(range(CELLS))
        named = {
            "month_search_seconds": _timed(lambda: search([root], 1, small, _START_MS, end, 10)),
            "month_search_cpu_seconds": _timed(
                lambda: search([root], 1, small, _START_MS, end, 10), time.thread_time
            ),
            "everywhere_search_seconds": _timed(lambda: search([root], 1, whole, _START_MS, end, 10)),
            "heat_seconds": _timed(lambda: heat([root], 1, _START_MS, end)),
            "files_seconds": _timed(lambda: [path.read_bytes() for path in single.rglob("*.side")]),
            "megabytes": size / 1e6,
        }
        found = search([root], 1, small, _START_MS, end, 10).total
    note = f"{options.days} days, {options.busy:.0%} of minutes busy; {found} stretches in the rectangle."
    return Figures(named, [], [], [note])


def _make(root: Path, single: Path, days: int, busy: float) -> int:
    chance = np.random.default_rng(1)
    for hour in range(days * 24):
        key = SegmentKey(1, StreamRole.MAIN, _START_MS + hour * _HOUR)
        path = root / key.path()
        path.parent.mkdir(parents=True)
        path.touch()
        minutes = [_minute(chance, key.start_ms // 1000 + minute * 60, busy) for minute in range(60)]
        sidecars.append(root, key, SideKind.MOTION, minutes)
        folder = single / str(hour)
        folder.mkdir(parents=True)
        for number, (_, payload) in enumerate(minutes):
            (folder / f"{number}.side").write_bytes(payload)
    return sum(path.stat().st_size for path in root.rglob("*.side"))


def _minute(chance: np.random.Generator, second: int, busy: float) -> tuple[int, bytes]:
    """Something about three cells by five goes across the picture for ten seconds, or nothing does."""
    seconds: dict[int, Cells | None] = {second + at: None for at in range(60)}
    if chance.random() < busy:
        row, column = chance.integers(0, ROWS - 5), chance.integers(0, COLUMNS - 13)
        for at in range(10):
            cells = np.zeros((ROWS, COLUMNS), np.bool_)
            cells[row : row + 5, column + at : column + at + 3] = True
            seconds[second + 20 + at] = cells.ravel()
    return pack_blocks(seconds)[0]


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    times = []
    for _ in range(5):
        started = clock()
        work()
        times.append(clock() - started)
    return statistics.median(times)
