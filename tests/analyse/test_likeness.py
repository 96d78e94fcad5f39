"""Who passes whom: a box fits the track of its own height, and what runs is not lost."""

from __future__ import annotations

import numpy as np

from beholden.analyse.likeness import Likeness
from beholden.analyse.track import Tracker
from beholden.model.event import Box, Detection, ObjectClass

from .conftest import START_MS


def person(left: float, top: float, height: float) -> Detection:
    """Somebody two fifths as wide as high."""
    return Detection(ObjectClass.PERSON, 0.8, Box(left, top, left + height * 0.4, top + height))


def test_height_decides_between_two_who_overlap() -> None:
    """The far one's detection overlaps the near one's place more than its own, and yet is the far one's."""
    near, far = [100, 100, 180, 300], [150, 80, 205, 220]
    seen = np.array([[128, 82, 184, 221]], np.float64)
    fits = Likeness().compute(np.array([near, far], np.float64), seen)[:, 0]
    assert fits[1] > fits[0] > 0
    assert Likeness().compute(np.array([far], np.float64), np.array([far], np.float64))[0, 0] == 1


def test_what_lies_above_or_below_does_not_fit() -> None:
    """However wide the boxes, and whatever they are grown by."""
    above, below = np.array([[0, 0, 100, 50]], np.float64), np.array([[0, 55, 100, 105]], np.float64)
    assert Likeness().compute(above, below)[0, 0] == 0


def test_two_who_cross_keep_their_numbers() -> None:
    """One near the camera goes to the right, one farther away to the left; they meet in the middle, and there
    the near one hides the other for two pictures."""
    tracker = Tracker()
    tracks = []
    for step in range(25):
        near = person(0.2 + 0.02 * step, 0.3, 0.4)
        far = person(0.72 - 0.02 * step, 0.28, 0.28)
        shown = [near] if step in (12, 13) else [near, far]
        tracked = tracker.update(shown, START_MS + 200 * step)
        by_height = {round(t.detection.box.bottom - t.detection.box.top, 2): t.track for t in tracked}
        tracks.append((by_height[0.4], by_height.get(0.28)))
    assert len({near for near, _ in tracks}) == 1
    assert len({far for _, far in tracks if far is not None}) == 1


def test_who_runs_keeps_their_number() -> None:
    """A whole width of their own from picture to picture leaves no overlap at first."""
    tracker = Tracker()
    found = [
        tracker.update([person(0.1 + 0.09 * step, 0.4, 0.2)], START_MS + 200 * step) for step in range(8)
    ]
    assert len({each.track for tracked in found for each in tracked}) == 1
