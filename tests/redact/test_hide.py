"""What is hidden is gone: a few averages are left, and nothing around it is touched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.event import Box
from beholden.redact.hide import CELLS, hide

BOX = Box(0.25, 0.25, 0.75, 0.75)
PART = (slice(60, 180), slice(80, 240))  # of 240 x 320


def noise(seed: int = 1) -> np.ndarray:
    """A picture full of detail."""
    return np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)


def test_the_rest_is_untouched() -> None:
    """Not a pixel outside the box changes, and hardly one inside stays."""
    picture, before = noise(), noise()
    hide(picture, [BOX])
    outside = np.ones((240, 320), bool)
    outside[PART] = False
    assert np.array_equal(picture[outside], before[outside])
    assert (picture[PART] == before[PART]).all(axis=2).mean() < 0.02


def test_detail_cannot_be_had_back() -> None:
    """Pictures that differ in all but the means of cells come out the same: nothing of the detail is left."""
    first = noise()
    second = first.copy()
    rows, columns = 120 // CELLS, 120 // CELLS
    inner = second[PART].copy()
    for top in range(0, 120, rows):  # turn every cell upside down: same means, other picture
        for left in range(0, 160 - columns + 1, columns):
            inner[top : top + rows, left : left + columns] = inner[top : top + rows, left : left + columns][
                ::-1
            ]
    narrow = Box(80 / 320, 60 / 240, 200 / 320, 180 / 240)  # 120 x 120: five cells each way
    second[PART] = inner
    assert not np.array_equal(first, second)
    hide(first, [narrow])
    hide(second, [narrow])
    assert np.abs(first[60:180, 80:200].astype(int) - second[60:180, 80:200].astype(int)).max() <= 1


def test_a_face_in_the_box_of_a_person_is_one_tone() -> None:
    """An eighth of a standing person's box holds a face; stripes in it are gone."""
    picture = np.full((400, 200, 3), 90, np.uint8)
    picture[20:70:4, 80:120] = 250
    hide(picture, [Box(0.25, 0.0, 0.75, 1.0)])
    face = picture[20:70, 80:120].astype(int)
    assert np.abs(np.diff(face, axis=0)).max() < 12


@given(
    left=st.floats(0, 1),
    top=st.floats(0, 1),
    width=st.floats(0, 1),
    height=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_any_box_is_hidden_or_empty(left: float, top: float, width: float, height: float, seed: int) -> None:
    """Boxes at the edge, of a pixel, of nothing or of everything do no harm."""
    picture = noise(seed)
    hide(picture, [Box(left, top, min(1.0, left + width), min(1.0, top + height))])
    assert picture.shape == (240, 320, 3)


@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(0, 0, 0.01, 0.01)])
def test_large_and_small(box: Box) -> None:
    """The whole picture becomes a few tones; the smallest box one."""
    picture = noise()
    hide(picture, [box])
    rows, columns = int(np.ceil(box.bottom * 240)), int(np.ceil(box.right * 320))
    part = picture[:rows, :columns].astype(int)
    assert np.abs(np.diff(part, axis=0)).max(initial=0) < 40
