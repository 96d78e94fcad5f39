"""Places, rules, the site's mode, verdicts, cards and back-tests from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.catalog import Catalog, events, journal
from beholden.model.event import Box, ObjectClass, RuleHit

from .conftest import Command

SQUARE = "0.2,0.2 0.8,0.2 0.8,0.8 0.2,0.8"


def test_a_zone_and_a_rule_from_drawing_to_switching_on(beholden: Command, catalog: Catalog) -> None:
    """Drawn, added, changed, refused while untested, switched on, listed, removed; journalled with who."""
    place = beholden("place", "add", "Gate", "Drive", "--points", SQUARE, "--json").json()
    assert place["points"][0] == [0.2, 0.2]
    assert beholden("place", "change", str(place["id"]), "--points", SQUARE.replace("0.8", "0.7")).code == 0
    assert beholden("place", "change", str(place["id"])).code == 1
    assert "0.7,0.7" in beholden("place", "list", "Gate").out
    words = ("rule", "add", "Gate", "Person", "--kind", "enter", "--place", "Drive", "--class", "person")
    rule = beholden(*words, "--window", "mon 08:00-18:00", "--severity", "alert", "--json").json()
    assert (rule["classes"], rule["schedule"], rule["enabled"]) == (["person"], [[0, 480, 1080]], False)
    number = str(rule["id"])
    refused = beholden("rule", "on", number)
    assert refused.code == 1
    assert "not tried on recorded footage" in refused.err
    assert beholden("rule", "change", number, "--min-seconds", "2", "--window", "none").code == 0
    assert beholden("rule", "on", number, "--untested").code == 0
    (shown,) = beholden("rule", "list", "--json").json()["rules"]
    assert (shown["min_seconds"], shown["schedule"], shown["enabled"], shown["tested"]) == (
        2.0,
        [],
        True,
        False,
    )
    assert beholden("place", "remove", str(place["id"])).code == 1
    for command in (
        ("rule", "off", number),
        ("rule", "remove", number),
        ("place", "remove", str(place["id"])),
    ):
        assert beholden(*command).code == 0
    with catalog.read() as conn:
        said = {
            fact.body["by"] for fact in journal.entries(conn) if fact.kind.startswith(("rule_", "place_"))
        }
    assert len(said) == 1
    assert said.pop().startswith("command line")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("0.2,0.2 1.8,0.2 0.8,0.8", "outside the picture"),
        ("0.2,0.2 0.8,0.8 0.8,0.2 0.2,0.8", "cross or touch"),
        ("0.2 0.3", "is not a point"),
        ("a,b", "is not a point"),
    ],
)
def test_a_drawing_that_cannot_be_is_refused(
    beholden: Command, catalog: Catalog, points: str, said: str
) -> None:
    """In a sentence."""
    refused = beholden("place", "add", "Gate", "x", "--points", points)
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err
    assert catalog is not None


def test_the_ground_is_measured(beholden: Command, catalog: Catalog) -> None:
    """Then speed can be asked for."""
    speed = ("rule", "add", "Gate", "Fast", "--kind", "speed", "--speed-kmh", "30")
    assert "four points of the ground" in beholden(*speed).err.lower()
    measured = ("--points", "0.3,0.4 0.7,0.4 0.9,0.9 0.1,0.9", "--metres", "0,10 5,10 5,0 0,0")
    assert beholden("place", "ground", "Gate", *measured).code == 0
    assert beholden(*speed).code == 0
    assert beholden("place", "list", "Gate", "--json").json()["ground"]["rev"] == 1
    assert beholden("place", "ground", "Gate", "--remove").code == 1
    assert beholden("rule", "remove", "1").code == 0
    assert beholden("place", "ground", "Gate", "--remove").code == 0
    assert beholden("place", "ground", "Gate").code == 1
    assert catalog is not None


def test_the_site_is_armed(beholden: Command, catalog: Catalog) -> None:
    """Said, set, refused."""
    assert beholden("site", "mode", "--json").json() == {"mode": "home", "since": None}
    assert beholden("site", "mode", "armed").code == 0
    assert beholden("site", "mode").out == "The site is set to armed.\n"
    assert "armed, home or away" in beholden("site", "mode", "asleep").err
    assert catalog is not None


def add_event(catalog: Catalog, hit: RuleHit | None = None) -> int:
    """An event of the camera."""
    with catalog.write() as conn:
        return events.start_event(conn, 1, ObjectClass.CAR, 1000, 0.9, Box(0, 0, 1, 1), 1000, hit)


def test_verdicts_make_a_card(beholden: Command, catalog: Catalog) -> None:
    """With sample and interval; withdrawn ones do not count."""
    assert "Nobody has said" in beholden("card", "Gate").out
    numbers = [str(add_event(catalog)) for _ in range(3)]
    for number, said in zip(numbers, ("right", "wrong", "right"), strict=True):
        assert beholden("verdict", number, said).code == 0
    assert beholden("verdict", numbers[2], "withdraw").code == 0
    (row,) = beholden("card", "Gate", "--json").json()["rows"]
    assert (row["right"], row["wrong"], row["precision"]["of"], row["recall"]) == (1, 1, 2, None)
    assert "0.50 (0.09 to 0.91, of 2)" in beholden("card", "Gate").out
    assert beholden("verdict", numbers[0], "maybe").code == 1
    assert beholden("verdict", "999", "right").code == 1


def test_events_of_rules_are_listed(beholden: Command, catalog: Catalog) -> None:
    """By severity and by rule, with what was measured."""
    add_event(catalog)
    add_event(catalog, RuleHit(5, "speed", None, "alert", {"speed_kmh": 61.0}))
    (event,) = beholden("events", "--severity", "alert", "--json").json()["events"]
    assert (event["rule_id"], event["what"], event["detail"]) == (5, "speed", {"speed_kmh": 61.0})
    assert len(beholden("events", "--rule", "5", "--json").json()["events"]) == 1
    assert len(beholden("events", "--json").json()["events"]) == 2


def test_a_back_test_without_footage_says_so(beholden: Command, catalog: Catalog) -> None:
    """Exit code 1, a reason, and a place in the list."""
    beholden("rule", "add", "Gate", "Any", "--kind", "enter")
    failed = beholden("backtest", "run", "Gate", "--rule", "Any", "--from", "2h", "--json")
    assert failed.code == 1
    shown: dict[str, Any] = failed.json()
    assert (shown["state"], shown["rule"]) == ("failed", "Any")
    assert "no footage" in shown["reason"]
    assert "failed" in beholden("backtest", "list").out
    assert beholden("backtest", "show", "1").code == 0
    assert beholden("backtest", "cancel", "1").out == "Back-test 1 is failed.\n"
    assert beholden("backtest", "cancel", "7").code == 1
    assert catalog is not None
