"""Places, ground planes and the rules that refer to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beholden.catalog import Catalog, backtests, cameras, places, rules, sites
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.errors import BeholdenError
from beholden.model.place import PlaceKind, Point
from beholden.model.rule import Rule, RuleKind

SQUARE: list[Point] = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
METRES: list[Point] = [(0, 0), (10, 0), (10, 20), (0, 20)]


@pytest.fixture
def camera(catalog: Catalog, box: SecretBox) -> int:
    """A camera that is analysed and not listened to."""
    with catalog.write() as conn:
        sites.ensure(conn)
        return cameras.add(conn, box, 1, NewCamera("gate", "rtsp://192.0.2.1/"))


def _refused(caught: pytest.ExceptionInfo[BeholdenError]) -> str:
    return caught.value.code


def test_a_place_is_drawn_changed_and_found(catalog: Catalog, camera: int) -> None:
    """By name or number, as a person types it; each change has a revision of its own."""
    with catalog.write() as conn:
        made = places.add(conn, 1, camera, PlaceKind.ZONE, " Door ", SQUARE, "eve")
        places.add(conn, 1, camera, PlaceKind.LINE, "Kerb", SQUARE[:2], "eve")
        assert places.find(conn, camera, "Door") == places.find(conn, camera, str(made.id)) == made.id
        assert [item.name for item in places.of_camera(conn, camera, [PlaceKind.LINE])] == ["Kerb"]
        moved = places.change(conn, 2, made.id, name="Gate", points=SQUARE[:3], rev=made.rev, by="eve")
        assert (moved.name, len(moved.points), moved.rev) == ("Gate", 3, made.rev + 1)
        assert places.change(conn, 3, made.id, by="eve") == moved, "nothing was asked for"
        with pytest.raises(BeholdenError) as caught:
            places.change(conn, 3, made.id, name="Gate 2", rev=made.rev, by="eve")
        assert _refused(caught) == "changed_meanwhile"
        with pytest.raises(BeholdenError) as caught:
            places.change(conn, 3, made.id, name="Kerb", by="eve")
        assert _refused(caught) == "name_taken"
        places.remove(conn, 4, made.id, "eve")
        for look in (lambda: places.get(conn, made.id), lambda: places.find(conn, camera, "Gate")):
            with pytest.raises(BeholdenError) as caught:
                look()
            assert _refused(caught) == "place_not_found"
        assert places.names(conn)[made.id] == "Gate", "old events still tell of it"


def test_a_place_in_use_stays(catalog: Catalog, camera: int) -> None:
    """Until its rule is gone."""
    with catalog.write() as conn:
        made = places.add(conn, 1, camera, PlaceKind.ZONE, "Door", SQUARE, "eve")
        rule = rules.add(conn, 1, Rule(0, camera, "In", RuleKind.ENTER, made.id), by="eve")
        with pytest.raises(BeholdenError) as caught:
            places.remove(conn, 2, made.id, "eve")
        assert _refused(caught) == "place_in_use"
        rules.remove(conn, 3, rule.id, "eve")
        places.remove(conn, 4, made.id, "eve")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_name_is_needed(catalog: Catalog, camera: int, name: str) -> None:
    """Rules speak of places by it."""
    with pytest.raises(BeholdenError) as caught, catalog.write() as conn:
        places.add(conn, 1, camera, PlaceKind.ZONE, name, SQUARE, "eve")
    assert _refused(caught) == "bad_name"


def test_a_camera_that_is_not_there_has_no_places(catalog: Catalog) -> None:
    """And no ground."""
    for draw in (
        lambda conn: places.add(conn, 1, 99, PlaceKind.ZONE, "Door", SQUARE, "eve"),
        lambda conn: places.set_ground(conn, 1, 99, SQUARE, METRES, "eve"),
    ):
        with pytest.raises(BeholdenError) as caught, catalog.write() as conn:
            draw(conn)
        assert _refused(caught) == "camera_not_found"


def test_there_is_an_end_to_places_and_rules(
    catalog: Catalog, camera: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistaken script cannot fill the catalog."""
    monkeypatch.setattr(places, "MOST_PLACES", 1)
    monkeypatch.setattr(rules, "MOST_RULES", 1)
    with catalog.write() as conn:
        places.add(conn, 1, camera, PlaceKind.ZONE, "one", SQUARE, "eve")
        rules.add(conn, 1, Rule(0, camera, "one", RuleKind.ENTER), by="eve")
        with pytest.raises(BeholdenError) as caught:
            places.add(conn, 1, camera, PlaceKind.ZONE, "two", SQUARE, "eve")
        assert _refused(caught) == "too_many_places"
        with pytest.raises(BeholdenError) as caught:
            rules.add(conn, 1, Rule(0, camera, "two", RuleKind.ENTER), by="eve")
        assert _refused(caught) == "too_many_rules"


def test_the_ground_is_measured_anew_and_forgotten(catalog: Catalog, camera: int) -> None:
    """Not while a rule measures on it; its revisions are never used twice."""
    with catalog.write() as conn:
        places.remove_ground(conn, 1, camera, "eve")
        first = places.set_ground(conn, 2, camera, SQUARE, METRES, "eve")
        second = places.set_ground(conn, 3, camera, SQUARE, [(2 * x, 2 * y) for x, y in METRES], "eve")
        assert (first.rev, second.rev) == (1, 2)
        rule = rules.add(conn, 4, Rule(0, camera, "Fast", RuleKind.SPEED), by="eve")
        with pytest.raises(BeholdenError) as caught:
            places.remove_ground(conn, 5, camera, "eve")
        assert _refused(caught) == "ground_in_use"
        rules.remove(conn, 6, rule.id, "eve")
        places.remove_ground(conn, 7, camera, "eve")
        assert places.ground(conn, camera) is None
        assert places.set_ground(conn, 8, camera, SQUARE, METRES, "eve").rev == 3
        assert list(places.grounds(conn)) == [camera]


def test_a_rule_is_switched_on_only_when_it_can_report(catalog: Catalog, box: SecretBox, camera: int) -> None:
    """Analysed, listened to, and tested or said to be untested."""
    sound = Rule(0, camera, "Bang", RuleKind.SOUND, enabled=True)
    enter = Rule(0, camera, "In", RuleKind.ENTER, enabled=True)
    with catalog.write() as conn:
        blind = cameras.add(conn, box, 1, NewCamera("blind", "rtsp://192.0.2.2/", analyse="off"))
        for wanted, code in (
            (sound, "not_listened_to"),
            (enter, "rule_not_tested"),
            (replace(enter, camera=blind), "not_analysed"),
        ):
            with pytest.raises(BeholdenError) as caught:
                rules.add(conn, 1, wanted, by="eve")
            assert _refused(caught) == code
        made = rules.add(conn, 1, enter, by="eve", untested=True)
        assert rules.change(conn, 2, made.id, {"name": "In"}, by="eve") == made, "nothing was changed"
        with pytest.raises(BeholdenError) as caught:
            rules.change(conn, 2, made.id, {"name": "Out"}, by="eve", rev=made.rev + 1)
        assert _refused(caught) == "changed_meanwhile"
        assert rules.find(conn, camera, "In") == rules.find(conn, camera, str(made.id)) == made.id
        with pytest.raises(BeholdenError) as caught:
            rules.find(conn, camera, "Out")
        assert _refused(caught) == "rule_not_found"
        assert rules.names(conn) == {made.id: "In"}


def test_back_tests_are_listed_by_camera_and_rule(catalog: Catalog, camera: int) -> None:
    """Newest first, each with the ground and the place it was asked with."""
    with catalog.write() as conn:
        zone = places.add(conn, 1, camera, PlaceKind.ZONE, "Door", SQUARE, "eve")
        ground = places.set_ground(conn, 1, camera, SQUARE, METRES, "eve")
        rule = rules.add(conn, 1, Rule(0, camera, "Fast", RuleKind.SPEED, zone.id), by="eve")
        trial = backtests.Trial(rule, zone, ground)
        asked = [
            backtests.add(conn, 5000, camera, trial, 1000, 2000, "eve", stored=stored)
            for stored in (True, False)
        ]
        numbers = [item.id for item in asked]
        assert [item.id for item in backtests.page(conn, camera=camera)] == numbers[::-1]
        assert [item.id for item in backtests.page(conn, rule=rule.id)] == numbers[:1]
        assert backtests.page(conn, camera=camera + 1) == []
        kept = backtests.get(conn, numbers[0]).trial
        assert kept.ground is not None
        assert (kept.ground.points, kept.ground.metres) == (ground.points, ground.metres)
        with pytest.raises(BeholdenError) as caught:
            backtests.get(conn, 99)
        assert _refused(caught) == "backtest_not_found"
        with pytest.raises(BeholdenError) as caught:
            backtests.add(conn, 1500, camera, trial, 2000, 3000, "eve", stored=True)
        assert _refused(caught) == "bad_range", "the future has no footage"
