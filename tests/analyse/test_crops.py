"""What the detector is shown: everything that moves, in as few and as large views as pay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.analyse.allowance import Allowance
from beholden.analyse.detect.crops import Crop, completed, detect_in, joined, plan, seen_in
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.geometry import covered
from beholden.analyse.mailbox import Look
from beholden.analyse.motion import Motion
from beholden.analyse.tell import Teller
from beholden.model.event import Box, Detection, ObjectClass
from beholden.model.time import FakeClock

from .conftest import START_MS, blank, decoded
from .test_analyser import see_bright

SHOWN = (416, 256)
PICTURE = (1920, 1080)
sides = st.floats(0, 1)


def whole_box(crop: Crop, picture: tuple[int, int]) -> Box:
    """A crop as a box."""
    width, height = picture
    return Box(
        crop.left / width,
        crop.top / height,
        (crop.left + crop.width) / width,
        (crop.top + crop.height) / height,
    )


def test_one_small_thing_is_shown_as_large_as_it_is() -> None:
    """No shrinking: the crop has the detector's own size."""
    [crop] = plan(PICTURE, SHOWN, [Box(0.5, 0.5, 0.52, 0.56)], 3)
    assert (crop.width, crop.height) == SHOWN
    assert covered(Box(0.5, 0.5, 0.52, 0.56), whole_box(crop, PICTURE)) == 1


def test_things_far_apart_get_views_of_their_own() -> None:
    """Two corners are two crops, neighbours are one."""
    far = [Box(0.05, 0.1, 0.07, 0.15), Box(0.9, 0.85, 0.92, 0.9)]
    near = [Box(0.5, 0.5, 0.52, 0.56), Box(0.54, 0.5, 0.56, 0.56)]
    assert len(plan(PICTURE, SHOWN, far, 3)) == 2
    assert len(plan(PICTURE, SHOWN, near, 3)) == 1


def test_what_fills_the_picture_is_shown_whole() -> None:
    """So is a small picture, and one in which nothing is known to move."""
    whole = [Crop(0, 0, *PICTURE)]
    assert plan(PICTURE, SHOWN, [Box(0.05, 0.1, 0.95, 0.9)], 3) == whole
    assert plan(PICTURE, SHOWN, [], 3) == whole
    assert plan((320, 180), SHOWN, [Box(0.1, 0.1, 0.2, 0.2)], 3) == [Crop(0, 0, 320, 180)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(sides, sides, sides, sides), min_size=1, max_size=12),
    st.integers(1, 4),
    st.tuples(st.integers(64, 2000), st.integers(64, 2000)),
)
def test_all_boxes_are_within_some_crop(
    corners: list[tuple[float, float, float, float]], most: int, picture: tuple[int, int]
) -> None:
    """Whatever the boxes: few enough crops, inside the picture, and every box lies in one of them."""
    boxes = [Box(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    crops = plan(picture, SHOWN, boxes, most)
    assert 1 <= len(crops) <= most
    for crop in crops:
        assert crop.left >= 0
        assert crop.top >= 0
        assert crop.left + crop.width <= picture[0]
        assert crop.top + crop.height <= picture[1]
    for box in boxes:
        if (box.right - box.left) * (box.bottom - box.top) > 1e-4:
            assert seen_in(crops, box, picture)


def person(box: Box, score: float = 0.8) -> Detection:
    """A person."""
    return Detection(ObjectClass.PERSON, score, box)


def test_an_object_in_two_crops_is_one() -> None:
    """The surer detection stays, in coordinates of the picture."""
    crops = [Crop(0, 0, 400, 200), Crop(200, 0, 400, 200)]
    found = [[person(Box(0.6, 0.2, 0.8, 0.8), 0.7)], [person(Box(0.1, 0.2, 0.3, 0.8), 0.9)]]
    [one] = joined(crops, found, (800, 400))
    assert one.score == 0.9
    assert one.box.left == pytest.approx(0.3)


def test_half_an_object_counts_less() -> None:
    """Cut by a crop's inner border it is weak, and nothing when it is seen whole elsewhere; the picture's own
    border cuts nothing off."""
    crops = [Crop(0, 0, 400, 200), Crop(200, 0, 400, 200)]
    half = person(Box(0.9, 0.2, 1.0, 0.8))
    [cut] = joined(crops, [[half], []], (800, 400))
    assert cut.score < 0.5
    whole = person(Box(0.35, 0.2, 0.6, 0.8))
    [one] = joined(crops, [[half], [whole]], (800, 400))
    assert one.score == 0.8
    assert one.box.left == pytest.approx((200 + 0.35 * 400) / 800)
    [edge] = joined([Crop(0, 0, 400, 200)], [[person(Box(0.0, 0.2, 0.1, 0.8))]], (800, 400))
    assert edge.score == 0.8


def test_a_thing_is_found_where_it_is() -> None:
    """Through cropping, the detector and back."""
    picture = blank(360, 640)
    picture[300:330, 600:615] = 230
    crops = plan((640, 360), SHOWN, [Box(0.93, 0.8, 0.97, 0.92)], 3)
    assert crops[0].width == 416
    [[found]] = detect_in(FakeDetector(see_bright), [(decoded(picture, 1), crops)])
    assert found.box.left == pytest.approx(600 / 640, abs=0.01)
    assert found.box.bottom == pytest.approx(330 / 360, abs=0.01)


def looking(at_ms: int, *moving: Box) -> Look:
    """A look with motion."""
    motion = Motion(moving, 0.01, settling=False, mask=np.zeros((180, 320), np.uint8))
    return Look(decoded(blank(360, 640), START_MS + at_ms), motion, 200)


def test_now_and_then_all_is_shown() -> None:
    """Every two seconds the whole picture, in between where it moves and where something is followed."""
    teller = Teller(1, FakeClock())
    spot = Box(0.1, 0.1, 0.15, 0.2)
    areas = [teller.crops(looking(at, spot), SHOWN)[0].width for at in range(0, 4000, 200)]
    assert [number for number, width in enumerate(areas) if width == 640] == [0, 10]


def test_what_stops_is_still_shown() -> None:
    """A follower without motion stays within the crops."""
    teller = Teller(1, FakeClock())
    there = Box(0.8, 0.7, 0.85, 0.9)
    for at in range(0, 1000, 200):
        teller.detected(looking(at, there), [person(there)])
    teller.crops(looking(1000), SHOWN)
    crops = teller.crops(looking(1200, Box(0.1, 0.1, 0.12, 0.15)), SHOWN)
    assert seen_in(crops, there, (640, 360))


def test_the_allowance_thins_looks_and_recovers() -> None:
    """Used up, looks become rarer, then rarer still, and again; time fills it, but not without bound."""
    clock = FakeClock()
    allowance = Allowance(clock, share=0.1)
    assert allowance.least_ms == 0
    allowance.spend(6.5)
    first = allowance.least_ms
    allowance.spend(4)
    second = allowance.least_ms
    allowance.spend(4)
    assert 0 < first < second < allowance.least_ms < 900
    clock.advance(70)
    assert allowance.least_ms == 0
    clock.advance(100_000)
    allowance.spend(6.5)
    assert allowance.least_ms > 0


def test_a_look_too_soon_is_left_out() -> None:
    """The least time between looks is kept, and motion is looked at afterwards."""
    teller = Teller(1, FakeClock())
    spot = Box(0.1, 0.1, 0.15, 0.2)
    teller.detected(looking(0, spot), [])
    assert not teller.wants(looking(200, spot), least_ms=300)
    assert teller.wants(looking(400, spot), least_ms=300)
    assert teller.wants(looking(200, spot))


def test_a_close_up_adds_what_only_it_shows() -> None:
    """What both show stays where the newer picture has it, as sure as the surer; the rest is added."""
    known = Detection(ObjectClass.PERSON, 0.4, Box(0.3, 0.3, 0.4, 0.6))
    moved = Detection(ObjectClass.PERSON, 0.8, Box(0.27, 0.3, 0.37, 0.6))
    far = Detection(ObjectClass.PERSON, 0.6, Box(0.8, 0.1, 0.81, 0.14))
    other = Detection(ObjectClass.CAR, 0.5, Box(0.3, 0.3, 0.4, 0.6))
    found = completed([known], [moved, far, other])
    assert [(item.kind, item.score) for item in found] == [
        (ObjectClass.PERSON, 0.8),
        (ObjectClass.PERSON, 0.6),
        (ObjectClass.CAR, 0.5),
    ]
    assert found[0].box == known.box
