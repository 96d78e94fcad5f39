"""What a rule may say, for everyone who sets one: commands, the API, forms."""

from __future__ import annotations

import math
from collections.abc import Iterator

from beholden.model.errors import BeholdenError
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import VEHICLES, Rule, RuleKind

MOST_SECONDS = 86_400.0
MOST_COUNT = 1000
MOST_KMH = 400.0
_NO_PLACE = (RuleKind.CAMERA, RuleKind.SOUND)


def check(rule: Rule, place: Place | None, ground: GroundPlane | None) -> None:
    """``place`` is the one the rule names, of the same camera. BeholdenError ``bad_rule`` says the first
    thing that is wrong; ``no_ground_plane`` when speed is asked for without one."""
    for said in _faults(rule, place):
        raise BeholdenError("bad_rule", said, "Change the rule and save it again.")
    if rule.kind is RuleKind.SPEED and ground is None:
        raise BeholdenError(
            "no_ground_plane",
            "Speed can be told only where the ground is measured, and this camera has no ground plane.",
            "Give four points of the ground and where they lie in metres.",
        )


def _faults(rule: Rule, place: Place | None) -> Iterator[str]:
    yield from _place_faults(rule, place)
    yield from _filter_faults(rule)
    yield from _number_faults(rule)
    for window in rule.schedule:
        if not (0 <= window.weekday <= 6 and 0 <= window.from_minute < window.to_minute <= 1440):
            yield "A stretch of the schedule lies within one day, and begins before it ends."


def _place_faults(rule: Rule, place: Place | None) -> Iterator[str]:
    if place is not None and place.camera != rule.camera:
        yield "The place belongs to another camera."
    if rule.kind in _NO_PLACE:
        if place is not None:
            yield f"A rule of kind {rule.kind.value} is about the whole camera and has no place."
    elif rule.kind is RuleKind.CROSS:
        if place is None or place.kind is not PlaceKind.LINE:
            yield "A rule of kind cross needs a line."
    elif rule.kind is RuleKind.WRONG_WAY:
        line = place is not None and place.kind is PlaceKind.LINE
        if not line and rule.heading is None:
            yield "A rule of kind wrong_way needs a line, or the heading that is right in its zone."
        if place is not None and place.kind not in (PlaceKind.LINE, PlaceKind.ZONE):
            yield "A rule of kind wrong_way needs a line or a zone."
    elif place is not None and place.kind is not PlaceKind.ZONE:
        yield f"A rule of kind {rule.kind.value} needs a zone, or no place for the whole picture."


def _filter_faults(rule: Rule) -> Iterator[str]:
    if not 0 <= rule.min_size <= rule.max_size <= 1:
        yield "Sizes are parts of the picture from 0 to 1, the least not above the largest."
    if not 0 <= rule.min_score <= 1:
        yield "The least score is between 0 and 1."
    if rule.kind is RuleKind.STOPPED and not set(rule.classes) <= set(VEHICLES):
        yield "A rule of kind stopped is about vehicles."


def _number_faults(rule: Rule) -> Iterator[str]:
    for what, value, most in (
        ("min_seconds", rule.min_seconds, MOST_SECONDS),
        ("cooldown_seconds", rule.cooldown_seconds, MOST_SECONDS),
    ):
        if not (math.isfinite(value) and 0 <= value <= most):
            yield f"{what} is a number from 0 to {most:.0f}."
    if not 1 <= rule.count <= MOST_COUNT:
        yield f"count is 1 to {MOST_COUNT}."
    if not (math.isfinite(rule.speed_kmh) and 0 < rule.speed_kmh <= MOST_KMH):
        yield f"speed_kmh is above 0 and at most {MOST_KMH:.0f}."
    if rule.heading is not None and not 0 <= rule.heading < 360:
        yield "heading is 0 to below 360 degrees."
    if not -90 <= rule.level_db <= 0:
        yield "level_db is -90 to 0."
