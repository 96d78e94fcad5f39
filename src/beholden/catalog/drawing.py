"""What may be drawn on a picture: points within it, polygons that do not cross themselves, real planes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from beholden.model.errors import BeholdenError
from beholden.model.place import PlaceKind, Point

MOST_POINTS = 64
LEAST_AREA = 0.0001  # of the picture: about 5 x 5 of 480 x 270 pixels
LEAST_LENGTH = 0.01
_LEAST_PLANE = 0.0005


def checked_points(kind: PlaceKind, points: Sequence[Point]) -> tuple[Point, ...]:
    """The points of a place as they are stored; BeholdenError ``place_outside``, ``place_crosses_itself`` or
    ``bad_place``. A polygon's last point may repeat its first."""
    given = [(float(x), float(y)) for x, y in points]
    check_inside(given)
    if kind is PlaceKind.LINE:
        return _checked_line(given)
    if len(given) > 1 and given[0] == given[-1]:
        given.pop()
    if not 3 <= len(given) <= MOST_POINTS:
        raise _bad(f"A {kind.value} has 3 to {MOST_POINTS} corners, and {len(given)} were given.")
    if crosses_itself(given):
        raise BeholdenError(
            "place_crosses_itself",
            "The edges of this place cross or touch each other, so nobody can say what is inside.",
            "Draw it so that its edges meet at the corners only.",
        )
    if abs(signed_area(given)) < LEAST_AREA:
        raise _bad("This place is too small to have anything in it.")
    return tuple(given)


def check_inside(points: Sequence[Point]) -> None:
    """BeholdenError ``place_outside`` when a point is not in the picture: a mistake of units, not a wish."""
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise BeholdenError(
                "place_outside",
                f"The point ({x:g}, {y:g}) lies outside the picture.",
                "Coordinates are parts of the picture's width and height, from 0 to 1.",
            )


def check_plane(points: Sequence[Point], metres: Sequence[Point]) -> None:
    """BeholdenError ``place_outside`` or ``bad_ground``: four points each, no three of them in a row, in the
    same order around in both, and at most 10 km apart."""
    check_inside(points)
    if any(not math.isfinite(value) or abs(value) > 10_000 for pair in metres for value in pair):
        raise _bad_ground("Metres are numbers between -10000 and 10000.")
    for what, four in (("in the picture", points), ("on the ground", metres)):
        if len(four) != 4:
            raise _bad_ground(f"Four points {what} are needed, and {len(four)} were given.")
        largest = max(abs(_turn(a, b, c)) for a, b, c in itertools.combinations(four, 3))
        flattest = min(abs(_turn(a, b, c)) for a, b, c in itertools.combinations(four, 3))
        if largest == 0 or flattest < 0.01 * largest or (what == "in the picture" and largest < _LEAST_PLANE):
            raise _bad_ground(f"Three of the four points {what} lie (nearly) in a row.")
    if _shape(points) != _shape(metres) and _shape(points) != [-sign for sign in _shape(metres)]:
        raise _bad_ground("The points in the picture and on the ground are not in the same order.")


def contains(corners: Sequence[Point], point: Point) -> bool:
    """Whether a polygon holds a point, by counting the edges to its right. Neighbours that share an edge
    never both contain a point on it."""
    x, y = point
    inside = False
    ax, ay = corners[-1]
    for bx, by in corners:
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
        ax, ay = bx, by
    return inside


def signed_area(points: Sequence[Point]) -> float:
    """Area of a polygon; positive when its corners go clockwise on the screen."""
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs) / 2


def crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two edges of a polygon meet elsewhere than at the corner they share, or lie on each other."""
    edges = list(zip(points, [*points[1:], points[0]], strict=True))
    for (i, first), (j, second) in itertools.combinations(enumerate(edges), 2):
        if first[0] == first[1] or second[0] == second[1]:
            return True
        adjacent = j == i + 1 or (i == 0 and j == len(edges) - 1)
        if adjacent:
            before, shared, after = (
                (first[0], first[1], second[1]) if j == i + 1 else (second[0], second[1], first[1])
            )
            if _folds_back(before, shared, after):
                return True
        elif segments_meet(*first, *second):
            return True
    return False


def segments_meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether segment ab and segment cd have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((turns[0], a, b, c), (turns[1], a, b, d), (turns[2], c, d, a), (turns[3], c, d, b))
    return any(turn == 0 and _within(start, end, point) for turn, start, end, point in ends)


def _checked_line(given: list[Point]) -> tuple[Point, ...]:
    if not 2 <= len(given) <= MOST_POINTS:
        raise _bad(f"A line has 2 to {MOST_POINTS} points, and {len(given)} were given.")
    if sum(math.dist(a, b) for a, b in itertools.pairwise(given)) < LEAST_LENGTH:
        raise _bad("This line is too short for anything to cross it.")
    return tuple(given)


def _shape(four: Sequence[Point]) -> list[int]:
    """Which way each three of the four turn: equal (or all opposite) for two views of one plane."""
    return [1 if _turn(a, b, c) > 0 else -1 for a, b, c in itertools.combinations(four, 3)]


def _folds_back(before: Point, shared: Point, after: Point) -> bool:
    if _turn(before, shared, after) != 0:
        return False
    dot = (before[0] - shared[0]) * (after[0] - shared[0]) + (before[1] - shared[1]) * (after[1] - shared[1])
    return dot > 0


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _within(a: Point, b: Point, point: Point) -> bool:
    return min(a[0], b[0]) <= point[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= point[1] <= max(a[1], b[1])


def _bad(message: str) -> BeholdenError:
    return BeholdenError("bad_place", message, "Draw it again.")


def _bad_ground(message: str) -> BeholdenError:
    return BeholdenError(
        "bad_ground",
        message,
        "Choose four corners of something flat and known, such as a parking bay, in order around it.",
    )
