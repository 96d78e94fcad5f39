"""What moved in a part of the picture is found to the second, whatever lies between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.model.camera import StreamRole
from beholden.model.grid import CELLS, COLUMNS, ROWS, SECONDS, WORD, cells_within
from beholden.model.segment import SegmentKey
from beholden.play.motion_search import MotionFound, MotionStretch, heat, search
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.volume import Volume

T0 = 1_795_478_100_000  # 23:55 UTC: a range soon goes over midnight
LEFT, RIGHT = cells_within(0, 0, 0.25, 1), cells_within(0.75, 0, 1, 1)
Moved = dict[int, list[int]]  # second since T0 -> cells


def payload(first: int, count: int, moved: Moved) -> bytes:
    """A block as docs/design/memory.md describes it, built by hand."""
    rows = {
        cell: sum(1 << at for at in range(count) if cell in moved.get(first + at, ()))
        for cell in range(CELLS)
    }
    bits = np.packbits([rows[cell] > 0 for cell in range(CELLS)]).tobytes()
    return (
        WORD.pack((1 << count) - 1)
        + bits
        + b"".join(WORD.pack(rows[cell]) for cell in range(CELLS) if rows[cell])
    )


def remember(root: Path, moved: Moved, seconds: int, step: int = 60) -> list[SegmentKey]:
    """Segments of ``step`` seconds from T0 on, with their motion."""
    keys = []
    for first in range(0, seconds, step):
        key = SegmentKey(1, StreamRole.MAIN, T0 + first * 1000)
        path = root / key.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        block = payload(first, min(step, seconds - first), moved)
        sidecars.append(root, key, SideKind.MOTION, [(key.start_ms, block)])
        keys.append(key)
    return keys


def find(root: Path, cells: list[int], start: int, end: int, gap: int = 10) -> MotionFound:
    """A search in seconds since T0."""
    return search([root], 1, cells, T0 + start * 1000, T0 + end * 1000, gap)


def stretch(start: int, end: int, seconds: int) -> MotionStretch:
    """In seconds since T0."""
    return MotionStretch(T0 + start * 1000, T0 + end * 1000, seconds)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A volume's directory."""
    return Volume.create(tmp_path / "footage").path


def test_only_the_rectangle_asked_for(root: Path) -> None:
    """Motion on the left is not found on the right; the whole picture finds both, over midnight too."""
    remember(root, {5: LEFT[:1], 6: LEFT[-1:], 400: RIGHT[3:4]}, 600)
    assert find(root, LEFT, 0, 600) == MotionFound([stretch(5, 7, 2)], 1, 600)
    assert find(root, RIGHT, 0, 600).stretches == [stretch(400, 401, 1)]
    assert find(root, list(range(CELLS)), 0, 600).stretches == [stretch(5, 7, 2), stretch(400, 401, 1)]
    assert find(root, cells_within(0.4, 0.4, 0.6, 0.6), 0, 600).stretches == []


def test_the_range_is_kept_to_the_second(root: Path) -> None:
    """Motion outside [start, end) is not found, and not counted as watched."""
    remember(root, dict.fromkeys(range(600), LEFT), 600)
    found = find(root, LEFT, 59, 61)
    assert found == MotionFound([stretch(59, 61, 2)], 1, 2)
    assert sum(heat([root], 1, T0 + 59_000, T0 + 61_000).seconds) == 2 * len(LEFT)
    assert find(root, LEFT, -500, 0) == MotionFound([], 0, 0)


@pytest.mark.parametrize(("gap", "count"), [(0, 3), (4, 3), (5, 2), (20, 1)])
def test_pauses(root: Path, gap: int, count: int) -> None:
    """Pauses of up to the gap do not end a stretch."""
    remember(root, {10: LEFT, 16: LEFT, 37: LEFT}, 60)
    assert len(find(root, LEFT, 0, 60, gap).stretches) == count


def test_the_newest_are_given_and_all_are_counted(root: Path) -> None:
    """Of many stretches the newest, in order."""
    remember(root, dict.fromkeys(range(0, 600, 30), LEFT), 600)
    found = search([root], 1, LEFT, T0, T0 + 600_000, 10, 3)
    assert found.stretches == [stretch(510, 511, 1), stretch(540, 541, 1), stretch(570, 571, 1)]
    assert found.total == 20


def test_what_is_deleted_is_not_found(root: Path) -> None:
    """A minute that was deleted is neither moved nor watched."""
    keys = remember(root, {5: LEFT, 65: LEFT}, 120)
    volume = Volume.create(root)
    volume.delete(keys[0])
    assert find(root, LEFT, 0, 120) == MotionFound([stretch(65, 66, 1)], 1, 60)


def test_heat_counts_seconds(root: Path) -> None:
    """Each cell's seconds, and those watched."""
    remember(root, {second: [7] for second in range(30, 90)} | {100: [CELLS - 1]}, 180)
    found = heat([root], 1, T0, T0 + 180_000)
    assert (found.seconds[7], found.seconds[CELLS - 1], sum(found.seconds)) == (60, 1, 61)
    assert found.watched_seconds == 180
    assert len(found.seconds) == COLUMNS * ROWS


def test_a_damaged_block_costs_itself(root: Path) -> None:
    """A block whose rows do not fit its cells is left out."""
    keys = remember(root, {5: LEFT}, 60)
    good = payload(0, SECONDS, {3: LEFT})
    sidecars.append(root, keys[0], SideKind.MOTION, [(T0, good[:-3]), (T0, good[:20]), (T0, good + b"x")])
    assert find(root, LEFT, 0, 60).stretches == [stretch(5, 6, 1)]


@settings(max_examples=25)
@given(
    moved=st.dictionaries(st.integers(0, 179), st.lists(st.integers(0, CELLS - 1), min_size=1), max_size=12),
    wanted=st.sets(st.integers(0, CELLS - 1), min_size=1, max_size=40),
    step=st.sampled_from([7, 60, 64]),
)
def test_it_finds_what_a_plain_loop_finds(
    tmp_path_factory: pytest.TempPathFactory, moved: Moved, wanted: set[int], step: int
) -> None:
    """Arrays and bits say the same as looking at every second."""
    root = Volume.create(tmp_path_factory.mktemp("search") / "footage").path
    remember(root, moved, 180, step)
    expected = [second for second, cells in sorted(moved.items()) if wanted & set(cells)]
    found = find(root, sorted(wanted), 0, 180, gap=0).stretches
    seconds = [
        second - T0 // 1000 for item in found for second in range(item.start_ms // 1000, item.end_ms // 1000)
    ]
    assert seconds == expected
    assert sum(item.seconds for item in found) == len(expected)
