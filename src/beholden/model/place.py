"""Places drawn on a camera's picture. All coordinates are 0..1 of its width and height, origin top left."""

from __future__ import annotations

import enum
from dataclasses import dataclass

Point = tuple[float, float]


class PlaceKind(enum.StrEnum):
    """What a place is for."""

    ZONE = "zone"  # a polygon: rules ask what is in it
    LINE = "line"  # a directed line of two or more points: rules and counts ask what crosses it
    PRIVACY = "privacy"  # a polygon that is made black before anything is analysed or kept as a still
    MOTION = "motion"  # a polygon in which motion does not count


@dataclass(frozen=True, slots=True)
class Place:
    """One of them. ``rev`` rises with every change.

    A line has a direction: looking along it from its first point to its last, what crosses from the left to
    the right goes *in*, and the other way *out*.
    """

    id: int
    camera: int
    kind: PlaceKind
    name: str
    points: tuple[Point, ...]
    rev: int
    changed_ms: int


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """Four points of the ground in the picture (0..1) and where they lie in metres, on any flat grid.

    With it the speed and the heading of what moves on that ground are known.
    """

    camera: int
    points: tuple[Point, Point, Point, Point]
    metres: tuple[Point, Point, Point, Point]
    rev: int
    changed_ms: int
