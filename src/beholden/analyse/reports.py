"""What rules give: reports with a beginning and an end, and crossings of lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beholden.analyse.events import Phase
from beholden.model.event import Box, EventKind, ObjectClass
from beholden.model.rule import Rule

Detail = Mapping[str, str | float]
WHOLE = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a condition is about: class, best score, box, and what was measured."""

    kind: EventKind
    score: float
    box: Box
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """One step of a report. ``key`` tells reports of an engine apart. ``start_ms`` is when its condition
    began to hold; ``end_ms`` is None but at the end; ``at_ms`` is the picture that brought it."""

    phase: Phase
    key: int
    rule: Rule
    start_ms: int
    end_ms: int | None
    at_ms: int
    sight: Sight


@dataclass(frozen=True, slots=True)
class Crossing:
    """One object crossed a line; counted whether or not a rule asks."""

    place: int
    at_ms: int
    kind: ObjectClass
    went_in: bool


Outcome = Report | Crossing
