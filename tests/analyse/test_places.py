"""Geometry of places: zones, lines and the ground, by properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from beholden.analyse.ground import Ground
from beholden.analyse.lines import MARGIN, Crosser, Line
from beholden.analyse.zones import Zone
from beholden.catalog.drawing import check_plane, checked_points, crosses_itself, segments_meet, signed_area
from beholden.model.errors import BeholdenError
from beholden.model.place import GroundPlane, PlaceKind

unit = st.floats(0.0, 1.0)
points = st.tuples(unit, unit)
grid = st.integers(0, 1024).map(lambda value: value / 1024)  # exact, so that collinear is collinear
pixels = st.tuples(grid, grid)


@st.composite
def stars(draw: st.DrawFn) -> list[tuple[float, float]]:
    """A polygon around the middle that does not cross itself: corners in order of their angle."""
    count = draw(st.integers(3, 12))
    radii = draw(st.lists(st.floats(0.1, 0.45), min_size=count, max_size=count))
    return [
        (0.5 + r * math.cos(2 * math.pi * n / count), 0.5 + r * math.sin(2 * math.pi * n / count))
        for n, r in enumerate(radii)
    ]


@given(stars())
def test_a_polygon_around_the_middle_is_drawn_and_holds_it(corners: list[tuple[float, float]]) -> None:
    """It is accepted as it is; its middle is inside, what is beyond all corners is not; either way around."""
    assert checked_points(PlaceKind.ZONE, corners) == tuple(corners)
    for drawn in (corners, corners[::-1], [*corners[3:], *corners[:3]]):
        assert Zone(drawn).contains((0.5, 0.5))
        assert not Zone(drawn).contains((0.99, 0.99))


@given(stars(), points)
def test_a_point_is_in_one_half_or_the_other(
    corners: list[tuple[float, float]], point: tuple[float, float]
) -> None:
    """Cut from the middle to a corner each: exactly the pieces' union, each point in one piece at most."""
    pieces = [Zone([(0.5, 0.5), corners[n], corners[(n + 1) % len(corners)]]) for n in range(len(corners))]
    assume(all(abs(signed_area([(0.5, 0.5), corner, point])) > 1e-9 for corner in corners))
    inside = sum(piece.contains(point) for piece in pieces)
    assert inside == int(Zone(corners).contains(point))


@given(stars(), st.integers(0, 20))
def test_two_corners_swapped_cross(corners: list[tuple[float, float]], at: int) -> None:
    """The clear error is for those who need it."""
    assume(len(corners) > 3)
    at %= len(corners)
    other = (at + 1) % len(corners)
    mixed = list(corners)
    mixed[at], mixed[other] = mixed[other], mixed[at]
    if not crosses_itself(mixed):  # a dent may untangle it
        assert checked_points(PlaceKind.ZONE, mixed)
        return
    with pytest.raises(BeholdenError) as caught:
        checked_points(PlaceKind.ZONE, mixed)
    assert caught.value.code == "place_crosses_itself"


@given(st.lists(st.tuples(st.floats(allow_nan=True), st.floats(allow_nan=True)), max_size=6))
def test_any_points_are_kept_or_refused_in_words(given_points: list[tuple[float, float]]) -> None:
    """Never stored outside the picture, never a defect."""
    for kind in PlaceKind:
        kept, refused = drawn(kind, given_points)
        assert all(0 <= value <= 1 for point in kept for value in point)
        assert kept or (refused is not None and refused.message and refused.next_step)


def drawn(
    kind: PlaceKind, corners: list[tuple[float, float]]
) -> tuple[tuple[tuple[float, float], ...], BeholdenError | None]:
    """What is kept of a drawing, or the refusal."""
    try:
        return checked_points(kind, corners), None
    except BeholdenError as error:
        return (), error


@given(pixels, pixels, pixels, pixels)
def test_meeting_is_mutual(a, b, c, d) -> None:  # type: ignore[no-untyped-def]
    """Whichever segment is asked, and from whichever end."""
    assert segments_meet(a, b, c, d) == segments_meet(c, d, a, b) == segments_meet(b, a, d, c)


@given(points, points)
def test_there_and_back_again_is_no_crossing_in_sum(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    """What goes in comes out by the same way, and a line turned around tells the opposite."""
    way = [(0.5, 0.0), (0.3, 0.4), (0.6, 0.7), (0.5, 1.0)]
    line, turned = Line(way), Line(way[::-1])
    assume(line.distance(before) > 1e-6)
    assume(line.distance(after) > 1e-6)
    assume(all(abs(signed_area([before, after, point])) > 1e-9 for point in way))
    assert line.crossed(before, after) == -line.crossed(after, before) == -turned.crossed(before, after)


@given(st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=60))
def test_jitter_on_a_line_is_counted_once_at_most(steps: list[float]) -> None:
    """However an object trembles within the margin, one way across counts one."""
    line, crosser = Line([(0.5, 0.0), (0.5, 1.0)]), Crosser()
    way = [0.3, *(0.5 + step * MARGIN for step in steps), 0.7]
    told = [went for x in way if (went := crosser.move(line, (x, 0.5)))]
    assert told == [-1]


PLANE = GroundPlane(
    1,
    ((0.3, 0.4), (0.7, 0.4), (0.9, 0.9), (0.1, 0.9)),
    ((0.0, 20.0), (6.0, 20.0), (6.0, 0.0), (0.0, 0.0)),
    1,
    0,
)


def test_measured_points_lie_where_they_were_measured() -> None:
    """And the horizon lies nowhere."""
    ground = Ground(PLANE)
    for point, metres in zip(PLANE.points, PLANE.metres, strict=True):
        assert ground.metres(point) == pytest.approx(metres, abs=1e-6)
    assert ground.metres((0.5, -0.08)) is None


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_is_straight_stays_straight(a: float, b: float, share: float) -> None:
    """A plane seen in perspective keeps lines."""
    ground = Ground(PLANE)
    left = (0.3 - 0.2 * a, 0.4 + 0.5 * a)
    right = (0.7 + 0.2 * b, 0.4 + 0.5 * b)
    middle = (left[0] + (right[0] - left[0]) * share, left[1] + (right[1] - left[1]) * share)
    p, q, r = (ground.metres(point) for point in (left, middle, right))
    assert p is not None
    assert q is not None
    assert r is not None
    assert abs(signed_area([p, q, r])) < 1e-4


@pytest.mark.parametrize(
    "four",
    [
        [(0.3, 0.4), (0.7, 0.4), (0.9, 0.9)],
        [(0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.9, 0.1)],
        [(0.3, 0.4), (0.9, 0.9), (0.7, 0.4), (0.1, 0.9)],
        [(0.3, 0.4), (0.3, 0.4), (0.9, 0.9), (0.1, 0.9)],
    ],
)
def test_a_plane_that_is_none_is_refused(four: list[tuple[float, float]]) -> None:
    """Too few points, three in a row, another order, a point twice."""
    with pytest.raises(BeholdenError) as caught:
        check_plane(four, PLANE.metres)
    assert caught.value.code == "bad_ground"
