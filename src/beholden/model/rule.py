"""Rules: what is worth reporting, where, when and how urgently. Never about who somebody is."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from beholden.model.event import ObjectClass
from beholden.model.site import SiteMode


class RuleKind(enum.StrEnum):
    """What a rule waits for."""

    ENTER = "enter"  # an object comes into a zone, or into view
    LEAVE = "leave"  # an object goes out of a zone, or out of view
    LOITER = "loiter"  # an object stays in a zone
    CROSS = "cross"  # an object crosses a line
    OCCUPANCY = "occupancy"  # at least so many objects are in a zone at once
    LEFT = "left"  # an object that was not there before stays where it was put
    TAKEN = "taken"  # an object that lay still is gone
    SPEED = "speed"  # an object on the ground plane moves at least so fast
    WRONG_WAY = "wrong_way"  # an object moves against the direction of a line, or of a heading in a zone
    STOPPED = "stopped"  # a vehicle that drove stands
    CAMERA = "camera"  # the camera is covered, turned, out of focus or frozen
    SOUND = "sound"  # a loud sound


class Severity(enum.StrEnum):
    """ALERT wants somebody now; NOTE is for whoever looks later."""

    ALERT = "alert"
    NOTE = "note"


class Direction(enum.StrEnum):
    """Over a line (``model.place.Place``)."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class CameraFault(enum.StrEnum):
    """What can be wrong with a picture as a whole."""

    COVERED = "covered"
    TURNED = "turned"
    DEFOCUSED = "defocused"
    FROZEN = "frozen"


VEHICLES = (
    ObjectClass.CAR,
    ObjectClass.TRUCK,
    ObjectClass.BUS,
    ObjectClass.MOTORCYCLE,
    ObjectClass.BICYCLE,
)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of each week by the site's wall clock: ``weekday`` 0 is Monday, ``to_minute`` exclusive,
    1440 is midnight."""

    weekday: int
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one camera.

    ``place`` is a zone or a line; None is the whole picture. A report needs its condition to last for
    ``min_seconds``, and none begins within ``cooldown_seconds`` after the last one of this rule began.
    The filter: ``classes`` (empty: any), ``min_size`` and ``max_size`` of the box in parts of the picture's
    area, ``min_score``. It holds within ``schedule`` (empty: always) and in ``modes`` of the site (empty:
    all).
    The rest belongs to single kinds: ``direction`` to CROSS, ``count`` to OCCUPANCY, ``speed_kmh`` to SPEED,
    ``heading`` (degrees clockwise from "to the right" in the picture; the way that is right) to WRONG_WAY in
    a zone, ``faults`` (empty: all) to CAMERA, ``level_db`` (0 is the loudest there is) to SOUND.
    """

    id: int
    camera: int
    name: str
    kind: RuleKind
    place: int | None = None
    enabled: bool = False
    severity: Severity = Severity.NOTE
    min_seconds: float = 0.0
    cooldown_seconds: float = 0.0
    classes: tuple[ObjectClass, ...] = ()
    min_size: float = 0.0
    max_size: float = 1.0
    min_score: float = 0.5
    schedule: tuple[Window, ...] = ()
    modes: tuple[SiteMode, ...] = ()
    direction: Direction = Direction.BOTH
    count: int = 1
    speed_kmh: float = 50.0
    heading: float | None = None
    faults: tuple[CameraFault, ...] = ()
    level_db: float = -20.0
    rev: int = 1
    changed_ms: int = field(default=0, compare=False)


BODY = (
    "classes", "min_size", "max_size", "min_score", "schedule", "modes", "direction", "count", "speed_kmh",
    "heading", "faults", "level_db",
)  # fmt: skip
"""Fields that are kept together as one JSON value."""


def body_of(rule: Rule) -> dict[str, Any]:
    """The fields of ``BODY`` as plain JSON values."""
    return {
        "classes": [item.value for item in rule.classes],
        "min_size": rule.min_size,
        "max_size": rule.max_size,
        "min_score": rule.min_score,
        "schedule": [[item.weekday, item.from_minute, item.to_minute] for item in rule.schedule],
        "modes": [item.value for item in rule.modes],
        "direction": rule.direction.value,
        "count": rule.count,
        "speed_kmh": rule.speed_kmh,
        "heading": rule.heading,
        "faults": [item.value for item in rule.faults],
        "level_db": rule.level_db,
    }


def from_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Rule from what ``body_of`` gave; absent ones keep their defaults."""
    made: dict[str, Any] = {
        name: body[name]
        for name in ("min_size", "max_size", "min_score", "count", "speed_kmh", "heading", "level_db")
        if name in body
    }
    many = {"classes": ObjectClass, "modes": SiteMode, "faults": CameraFault}
    made |= {name: tuple(kind(item) for item in body[name]) for name, kind in many.items() if name in body}
    if "schedule" in body:
        made["schedule"] = tuple(Window(*item) for item in body["schedule"])
    if "direction" in body:
        made["direction"] = Direction(body["direction"])
    return made
