"""Several onlookers are told as one."""

from __future__ import annotations

import numpy as np

from beholden.analyse.onlooker import FakeOnlooker, Onlookers
from beholden.model.frame import TrackedFrame

from .conftest import blank, decoded


def test_all_are_told_everything() -> None:
    """Each call reaches every one of them."""
    both = FakeOnlooker(), FakeOnlooker()
    told = Onlookers(both)
    picture = decoded(blank(), 1000)
    told.pictured(3, 1000, np.zeros((18, 32), np.uint8), picture)
    told.tracked(TrackedFrame(3, 1000, ()), picture)
    told.ended(3)
    for each in both:
        assert each.pictures == [(3, 1000)]
        assert each.frames == [TrackedFrame(3, 1000, ())]
        assert each.endings == [3]
