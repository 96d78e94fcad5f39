"""What the analyser reports. There is no field for who: no name, face, plate text or appearance."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ObjectClass(enum.StrEnum):
    """The classes an event can have. Classes of things, never kinds of people."""

    PERSON = "person"
    BICYCLE = "bicycle"
    CAR = "car"
    MOTORCYCLE = "motorcycle"
    BUS = "bus"
    TRUCK = "truck"
    ANIMAL = "animal"
    BAG = "bag"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a picture, 0..1 of its width and height, origin top left."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one picture. ``score`` 0..1."""

    kind: ObjectClass
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Event:
    """One tracked object from first to last sight on one camera.

    ``end_ms`` is None while it lasts. ``score`` is the best seen; ``box`` belongs to the best still,
    taken at ``still_ms``. ``still_size`` is 0 until a still is stored.
    """

    id: int
    camera: int
    kind: ObjectClass
    start_ms: int
    end_ms: int | None
    score: float
    box: Box
    still_ms: int
    still_size: int
