"""Boxes on disk come back as they were, and nothing else fits beside them."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.boxes import CLASSES, FRAME, OBJECT, pack_frames, unpack_frames
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.grid import CELLS, cells_within

T0 = 1_795_472_104_250
unit = st.floats(0, 1)
objects = st.builds(
    TrackedObject,
    st.integers(0, 2**32 - 1),
    st.sampled_from(ObjectClass),
    unit,
    st.builds(Box, unit, unit, unit, unit),
    st.booleans(),
)
views = st.builds(
    TrackedFrame, st.just(3), st.integers(T0, T0 + 60_000), st.lists(objects, max_size=4).map(tuple)
)


@given(seen=st.lists(views, max_size=5))
def test_frames_come_back(seen: list[TrackedFrame]) -> None:
    """Time, track, class and rest exactly; scores to a 255th, places to a 65,535th."""
    back = list(unpack_frames(3, T0, pack_frames(T0, seen)))
    assert [frame.at_ms for frame in back] == [frame.at_ms for frame in seen]
    for frame, original in zip(back, seen, strict=True):
        for item, was in zip(frame.objects, original.objects, strict=True):
            assert (item.track, item.kind, item.stationary) == (was.track, was.kind, was.stationary)
            assert item.score == pytest.approx(was.score, abs=1 / 500)
            assert item.box.left == pytest.approx(was.box.left, abs=1e-5)
            assert item.box.bottom == pytest.approx(was.box.bottom, abs=1e-5)


@given(junk=st.binary(max_size=60))
def test_junk_is_refused(junk: bytes) -> None:
    """Bytes that are not frames are a ValueError or, by chance, frames; never another error."""
    for blob in (junk, b"\x01" + junk, b"\x01" + zlib.compress(junk)):
        try:
            list(unpack_frames(1, T0, blob))
        except ValueError:
            continue


def test_every_class_has_its_number() -> None:
    """Numbers on disk are never given twice, and no class is without one."""
    assert set(CLASSES) == set(ObjectClass)
    assert CLASSES[0] is ObjectClass.PERSON
    assert CLASSES[7] is ObjectClass.BAG
    assert (FRAME.size, OBJECT.size) == (5, 15)


@pytest.mark.parametrize(
    ("rectangle", "count"),
    [
        ((0, 0, 1, 1), CELLS),
        ((0, 0, 1 / 32, 1 / 18), 1),
        ((0, 0, 1 / 32 + 0.001, 1 / 18), 2),
        ((0.5, 0.5, 0.75, 1), 8 * 9),
    ],
)
def test_cells_of_a_rectangle(rectangle: tuple[float, float, float, float], count: int) -> None:
    """Cells it touches; an edge on a border belongs to the cell before it."""
    assert len(cells_within(*rectangle)) == count


@pytest.mark.parametrize("rectangle", [(0.5, 0, 0.5, 1), (0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0, 1, 1, 0)])
def test_no_rectangle(rectangle: tuple[float, float, float, float]) -> None:
    """Outside the picture, or without area: refused."""
    with pytest.raises(ValueError, match="rectangle"):
        cells_within(*rectangle)
