"""What a rule may say, and what it may not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from beholden.catalog.rule_settings import check
from beholden.model.errors import BeholdenError
from beholden.model.event import ObjectClass
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import Rule, RuleKind, Window

CORNERS = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
PLAIN = Rule(0, 1, "rule", RuleKind.ENTER)
FOUR = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def _place(kind: PlaceKind, camera: int = 1) -> Place:
    return Place(1, camera, kind, "place", CORNERS, 1, 0)


ZONE, LINE, MASK = _place(PlaceKind.ZONE), _place(PlaceKind.LINE), _place(PlaceKind.PRIVACY)


@pytest.mark.parametrize(
    ("kind", "place", "heading"),
    [
        (RuleKind.ENTER, ZONE, None),
        (RuleKind.ENTER, None, None),
        (RuleKind.CROSS, LINE, None),
        (RuleKind.WRONG_WAY, LINE, None),
        (RuleKind.WRONG_WAY, ZONE, 90.0),
        (RuleKind.CAMERA, None, None),
        (RuleKind.SOUND, None, None),
    ],
)
def test_each_kind_has_its_place(kind: RuleKind, place: Place | None, heading: float | None) -> None:
    """Zones hold things, lines are crossed, cameras and sounds have neither."""
    check(replace(PLAIN, kind=kind, heading=heading), place, None)


@pytest.mark.parametrize(
    ("kind", "place", "heading", "said"),
    [
        (RuleKind.ENTER, LINE, None, "needs a zone"),
        (RuleKind.ENTER, _place(PlaceKind.ZONE, camera=2), None, "another camera"),
        (RuleKind.CROSS, ZONE, None, "needs a line"),
        (RuleKind.CROSS, None, None, "needs a line"),
        (RuleKind.WRONG_WAY, ZONE, None, "the heading that is right"),
        (RuleKind.WRONG_WAY, MASK, 90.0, "a line or a zone"),
        (RuleKind.CAMERA, ZONE, None, "has no place"),
        (RuleKind.SOUND, ZONE, None, "has no place"),
    ],
)
def test_another_place_is_refused(
    kind: RuleKind, place: Place | None, heading: float | None, said: str
) -> None:
    """With the reason."""
    with pytest.raises(BeholdenError, match=said) as caught:
        check(replace(PLAIN, kind=kind, heading=heading), place, None)
    assert caught.value.code == "bad_rule"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_size": 0.5, "max_size": 0.4}, "Sizes"),
        ({"max_size": 1.5}, "Sizes"),
        ({"min_score": -0.1}, "score"),
        ({"kind": RuleKind.STOPPED, "classes": (ObjectClass.PERSON,)}, "vehicles"),
        ({"min_seconds": math.nan}, "min_seconds"),
        ({"cooldown_seconds": -1.0}, "cooldown_seconds"),
        ({"count": 0}, "count"),
        ({"speed_kmh": math.inf}, "speed_kmh"),
        ({"heading": 360.0}, "heading"),
        ({"level_db": 3.0}, "level_db"),
        ({"schedule": (Window(7, 0, 60),)}, "schedule"),
        ({"schedule": (Window(0, 60, 60),)}, "schedule"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes: dict[str, object], said: str) -> None:
    """Whoever sets it, and with its name."""
    with pytest.raises(BeholdenError, match=said) as caught:
        check(replace(PLAIN, **changes), None, None)  # type: ignore[arg-type]
    assert caught.value.code == "bad_rule"


def test_speed_needs_a_measured_ground() -> None:
    """Without one nobody knows how far a metre is."""
    fast = replace(PLAIN, kind=RuleKind.SPEED)
    with pytest.raises(BeholdenError) as caught:
        check(fast, ZONE, None)
    assert caught.value.code == "no_ground_plane"
    check(fast, ZONE, GroundPlane(1, FOUR, FOUR, 1, 0))  # type: ignore[arg-type]
