"""Points as they are written on a command line: ``0.1,0.1 0.9,0.1 0.5,0.9``."""

from __future__ import annotations

from beholden.model.errors import BeholdenError
from beholden.model.place import Place, Point


def parse_points(text: str) -> list[Point]:
    """BeholdenError ``bad_points``."""
    found: list[Point] = []
    for pair in text.split():
        x, comma, y = pair.partition(",")
        try:
            found.append((float(x), float(y)))
        except ValueError:
            comma = ""
        if not comma:
            raise BeholdenError(
                "bad_points",
                f"{pair!r} is not a point.",
                "Write points as x,y parted by spaces, each from 0 to 1: '0.1,0.1 0.9,0.1 0.5,0.9'.",
            )
    return found


def as_json(place: Place) -> dict[str, object]:
    """One place as commands print it."""
    return {
        "id": place.id,
        "camera": place.camera,
        "kind": place.kind.value,
        "name": place.name,
        "points": [list(point) for point in place.points],
        "rev": place.rev,
    }
