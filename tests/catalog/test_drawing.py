"""What may be drawn on a picture, and what may not."""

from __future__ import annotations

import math

import pytest

from beholden.catalog.drawing import check_plane, checked_points, contains
from beholden.model.errors import BeholdenError
from beholden.model.place import PlaceKind, Point

SQUARE: list[Point] = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
METRES: list[Point] = [(0, 0), (10, 0), (10, 20), (0, 20)]


def test_a_polygon_may_be_closed_by_its_first_corner() -> None:
    """As many programs draw them."""
    assert checked_points(PlaceKind.ZONE, [*SQUARE, SQUARE[0]]) == tuple(SQUARE)


@pytest.mark.parametrize(
    ("kind", "points", "code"),
    [
        (PlaceKind.ZONE, SQUARE[:2], "bad_place"),
        (PlaceKind.ZONE, [(0.5, 0.5), (0.501, 0.5), (0.5, 0.501)], "bad_place"),
        (PlaceKind.ZONE, [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)], "place_crosses_itself"),
        (PlaceKind.ZONE, [(0.1, 0.1), (0.9, 0.1), (0.4, 0.1), (0.4, 0.9)], "place_crosses_itself"),
        (PlaceKind.ZONE, [(0.4, 0.1), (0.4, 0.9), (0.9, 0.1), (0.1, 0.1)], "place_crosses_itself"),
        (PlaceKind.ZONE, [(0.1, 0.1), (0.1, 0.1), (0.9, 0.1), (0.5, 0.9)], "place_crosses_itself"),
        (PlaceKind.PRIVACY, [(0.1, 0.1), (1.2, 0.1), (0.5, 0.9)], "place_outside"),
        (PlaceKind.MOTION, [(0.1, math.nan), (0.2, 0.1), (0.5, 0.9)], "place_outside"),
        (PlaceKind.LINE, [(0.1, 0.1)], "bad_place"),
        (PlaceKind.LINE, [(0.1, 0.1), (0.101, 0.1)], "bad_place"),
    ],
)
def test_what_encloses_nothing_or_lies_outside_is_refused(
    kind: PlaceKind, points: list[Point], code: str
) -> None:
    """Each with its own reason, so that a person can draw it better."""
    with pytest.raises(BeholdenError) as caught:
        checked_points(kind, points)
    assert caught.value.code == code


def test_a_point_on_a_shared_edge_is_in_one_of_two_neighbours() -> None:
    """Whoever stands on the border of two zones is counted once."""
    left: list[Point] = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
    right: list[Point] = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]
    for y in (0.0, 0.25, 0.5, 0.999):
        assert contains(left, (0.5, y)) + contains(right, (0.5, y)) == 1


@pytest.mark.parametrize("turned", [METRES, METRES[::-1]])
def test_four_points_of_the_ground_make_a_plane(turned: list[Point]) -> None:
    """Seen from either side."""
    check_plane(SQUARE if turned is METRES else SQUARE[::-1], turned)


@pytest.mark.parametrize(
    ("points", "metres", "said"),
    [
        (SQUARE, [(0, 0), (10, 0), (10, 20)], "3 were given"),
        (SQUARE, [(0, 0), (10, 0), (20, 0), (0, 20)], "in a row"),
        (SQUARE, [(0, 0), (0, 0), (0, 0), (0, 0)], "in a row"),
        ([(0.2, 0.2), (0.21, 0.2), (0.21, 0.21), (0.2, 0.21)], METRES, "in a row"),
        (SQUARE, [(0, 0), (10, 20), (10, 0), (0, 20)], "same order"),
        (SQUARE, [(0, 0), (math.inf, 0), (10, 20), (0, 20)], "Metres"),
        (SQUARE, [(0, 0), (20_000, 0), (10, 20), (0, 20)], "Metres"),
    ],
)
def test_what_is_no_plane_is_refused(points: list[Point], metres: list[Point], said: str) -> None:
    """Speed measured on it would be nonsense."""
    with pytest.raises(BeholdenError, match=said) as caught:
        check_plane(points, metres)
    assert caught.value.code == "bad_ground"
