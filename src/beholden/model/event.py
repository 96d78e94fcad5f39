"""What the analyser reports. There is no field for who: no name, face, plate text or appearance."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


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


class Disturbance(enum.StrEnum):
    """What an event can be about when it is about no object."""

    CAMERA = "camera"  # the camera itself: covered, turned, out of focus, frozen
    SOUND = "sound"  # a loud sound; never what was said


EventKind = ObjectClass | Disturbance


def event_kind(text: str) -> EventKind:
    """The kind with that name; ValueError when there is none."""
    try:
        return ObjectClass(text)
    except ValueError:
        return Disturbance(text)


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
class RuleHit:
    """What a rule's event says of the rule: ``what`` is its kind (model.rule.RuleKind) and ``severity`` how
    urgent it is, as they were then. ``detail`` is what was measured: ``direction``, ``speed_kmh``,
    ``heading``, ``count``, ``fault``, ``level_db``."""

    rule: int
    what: str
    place: int | None
    severity: str
    detail: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One tracked object from first to last sight on one camera, or what a rule reported (``hit``).

    ``end_ms`` is None while it lasts. ``score`` is the best seen; ``box`` belongs to the best still,
    taken at ``still_ms``. ``still_size`` is 0 until a still is stored.
    """

    id: int
    camera: int
    kind: EventKind
    start_ms: int
    end_ms: int | None
    score: float
    box: Box
    still_ms: int
    still_size: int
    hit: RuleHit | None = None
