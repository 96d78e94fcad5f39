"""Roll-ups, verdicts, modes and rules in the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from beholden.catalog import (
    Catalog,
    backtest_marks,
    backtests,
    cameras,
    counts,
    events,
    places,
    rules,
    sites,
    upgrade,
    verdicts,
)
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.backtest import Found
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, Disturbance, EventKind, ObjectClass, RuleHit
from beholden.model.place import PlaceKind
from beholden.model.rule import Rule, RuleKind, Severity, Window
from beholden.model.site import SiteMode
from beholden.model.verdict import Verdict

HOUR = counts.HOUR_MS
AT = 1_767_225_600_000
BOX = Box(0.1, 0.1, 0.5, 0.5)
SQUARE = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]


@pytest.fixture
def camera(catalog: Catalog, box: SecretBox) -> int:
    """A camera of a site."""
    with catalog.write() as conn:
        sites.ensure(conn)
        return cameras.add(conn, box, 1, NewCamera("gate", "rtsp://192.0.2.1/"))


def counted(catalog: Catalog, camera: int) -> list[tuple[EventKind, int | None, int]]:
    """(class, rule, events) of the hours around."""
    with catalog.read() as conn:
        hours = counts.of_events(conn, [camera], AT - HOUR, AT + 2 * HOUR)
    return [(item.kind, item.rule, item.events) for item in hours]


def test_counts_follow_the_class_an_event_turns_out_to_have(catalog: Catalog, camera: int) -> None:
    """One event counts once, in the hour it began, whatever it was taken for at first."""
    with catalog.write() as conn:
        number = events.start_event(conn, camera, ObjectClass.CAR, AT, 0.5, BOX, AT)
        events.start_event(conn, camera, ObjectClass.CAR, AT + 5, 0.5, BOX, AT)
    assert counted(catalog, camera) == [(ObjectClass.CAR, None, 2)]
    with catalog.write() as conn:
        events.update_event(conn, number, kind=ObjectClass.TRUCK)
        events.update_event(conn, number, kind=ObjectClass.TRUCK)
    assert counted(catalog, camera) == [(ObjectClass.CAR, None, 1), (ObjectClass.TRUCK, None, 1)]


def test_counts_are_rolled_back_with_their_event(catalog: Catalog, camera: int) -> None:
    """The same transaction: both or neither."""

    def interrupted() -> None:
        with catalog.write() as conn:
            events.start_event(conn, camera, ObjectClass.CAR, AT, 0.5, BOX, AT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert counted(catalog, camera) == []


def test_counts_and_verdicts_outlive_their_event(catalog: Catalog, camera: int) -> None:
    """Retention takes the event; what was counted and said of it stays."""
    hit = RuleHit(4, "enter", None, "alert")
    with catalog.write() as conn:
        number = events.start_event(conn, camera, ObjectClass.CAR, AT, 0.5, BOX, AT, hit)
        verdicts.give(conn, AT, number, Verdict.WRONG, "somebody")
        events.delete_events(conn, [number])
    assert counted(catalog, camera) == [(ObjectClass.CAR, 4, 1)]
    with catalog.read() as conn:
        (row,) = verdicts.card(conn, camera)
    assert (row.rule, row.wrong, row.precision is not None and row.precision.value) == (4, 1, 0.0)


def test_an_upgrade_counts_what_was_seen_before(tmp_path: Path) -> None:
    """Charts do not begin on the day of the upgrade."""
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog._engine.connect() as conn:
        conn.exec_driver_sql("BEGIN IMMEDIATE")
        config = upgrade._config()
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        for kind, start in (("car", AT), ("car", AT + 1), ("person", AT + HOUR)):
            conn.execute(
                text(
                    "insert into event (camera, kind, start_ms, score, box_left, box_top, box_right,"
                    " box_bottom, still_ms, still_size) values (1, :kind, :start, 1, 0, 0, 1, 1, 0, 0)"
                ),
                {"kind": kind, "start": start},
            )
        conn.commit()
    catalog.close()
    upgraded = Catalog.open(tmp_path)
    assert counted(upgraded, 1) == [(ObjectClass.CAR, None, 2), (ObjectClass.PERSON, None, 1)]
    with upgraded.read() as conn:
        found = events.get(conn, 1)
    assert found is not None
    assert found.event.hit is None
    upgraded.close()


def test_an_event_may_be_about_no_object(catalog: Catalog, camera: int) -> None:
    """The camera itself, or a sound; it comes back as it was stored."""
    hit = RuleHit(4, "camera", None, "alert", {"fault": "covered"})
    with catalog.write() as conn:
        number = events.start_event(conn, camera, Disturbance.CAMERA, AT, 1.0, BOX, AT, hit)
        found = events.get(conn, number)
    assert found is not None
    assert (found.event.kind, found.event.hit) == (Disturbance.CAMERA, hit)


def test_the_modes_of_the_past_are_known(catalog: Catalog, camera: int) -> None:
    """From the journal; setting what is set already is no fact."""
    with catalog.write() as conn:
        for at, mode in ((AT, SiteMode.AWAY), (AT + 5, SiteMode.AWAY), (AT + 9, SiteMode.ARMED)):
            sites.set_mode(conn, at, mode, "somebody")
        assert sites.modes(conn) == [(0, SiteMode.HOME), (AT, SiteMode.AWAY), (AT + 9, SiteMode.ARMED)]
    assert camera


def test_a_rule_comes_back_as_it_was_stored(catalog: Catalog, camera: int) -> None:
    """Every field, through the table and through JSON."""
    with catalog.write() as conn:
        zone = places.add(conn, AT, camera, PlaceKind.ZONE, "Drive", SQUARE, "somebody")
        wanted = Rule(
            id=0,
            camera=camera,
            name="Late",
            kind=RuleKind.LOITER,
            place=zone.id,
            severity=Severity.ALERT,
            min_seconds=12.5,
            cooldown_seconds=60.0,
            classes=(ObjectClass.PERSON, ObjectClass.BICYCLE),
            min_size=0.01,
            max_size=0.5,
            min_score=0.6,
            schedule=(Window(5, 1320, 1440), Window(6, 0, 300)),
            modes=(SiteMode.ARMED,),
            heading=45.0,
        )
        made = rules.add(conn, AT, wanted, by="somebody")
        assert rules.get(conn, made.id) == made
        assert rules.from_json(rules.as_json(made)) == made


def test_what_a_rule_is_called_does_not_make_it_untested(catalog: Catalog, camera: int) -> None:
    """Its digest is of what decides: the zone's shape does, names and severity do not."""
    with catalog.write() as conn:
        zone = places.add(conn, AT, camera, PlaceKind.ZONE, "Drive", SQUARE, "somebody")
        made = rules.add(conn, AT, Rule(0, camera, "In", RuleKind.ENTER, zone.id), by="somebody")
        before = rules.sign_of(conn, made)
        renamed = rules.change(conn, AT, made.id, {"name": "x", "severity": Severity.ALERT}, by="somebody")
        places.change(conn, AT, zone.id, name="Lane", by="somebody")
        assert rules.sign_of(conn, renamed) == before
        places.change(conn, AT, zone.id, points=SQUARE[:3], by="somebody")
        assert rules.sign_of(conn, renamed) != before


def test_a_thousand_places_and_no_more(catalog: Catalog, camera: int) -> None:
    """A clear refusal at the bound, not a slow failure beyond it."""
    with catalog.write() as conn:
        for number in range(places.MOST_PLACES):
            places.add(conn, AT, camera, PlaceKind.ZONE, str(number), SQUARE, "somebody")
        with pytest.raises(BeholdenError) as caught:
            places.add(conn, AT, camera, PlaceKind.ZONE, "one more", SQUARE, "somebody")
    assert caught.value.code == "too_many_places"


def test_a_back_test_is_held_against_what_concerns_it(catalog: Catalog, camera: int) -> None:
    """Marks on objects of its classes that stood in its zone; vehicles of one kind or another are alike."""
    inside, outside = Box(0.4, 0.2, 0.6, 0.7), Box(0.0, 0.0, 0.1, 0.1)
    with catalog.write() as conn:
        zone = places.add(conn, AT, camera, PlaceKind.ZONE, "Drive", SQUARE, "somebody")
        given = Rule(0, camera, "In", RuleKind.ENTER, zone.id, classes=(ObjectClass.CAR, ObjectClass.TRUCK))
        rule = rules.add(conn, AT, given, by="somebody")
        for kind, where, said, start in (
            (ObjectClass.CAR, inside, Verdict.RIGHT, AT),
            (ObjectClass.CAR, outside, Verdict.RIGHT, AT),
            (ObjectClass.PERSON, inside, Verdict.RIGHT, AT),
            (ObjectClass.CAR, inside, Verdict.WRONG, AT + 60_000),
            (ObjectClass.CAR, inside, Verdict.WRONG, AT + 120_000),
        ):
            number = events.start_event(conn, camera, kind, start, 0.9, where, start)
            events.end_event(conn, number, start + 5000)
            verdicts.give(conn, AT, number, said, "somebody")
        verdicts.add_missed(conn, AT, camera, ObjectClass.CAR, AT + 180_000, inside, "somebody")
        verdicts.add_missed(conn, AT, camera, ObjectClass.CAR, AT + 180_000, outside, "somebody")
        trial = backtests.Trial(rule, zone, None)
        item = backtests.add(conn, AT + HOUR, camera, trial, AT, AT + HOUR, "somebody", stored=True)
        backtests.claim(conn, AT + HOUR)
        found = [
            Found(ObjectClass.TRUCK, AT + 1000, AT + 4000, 0.9, inside),
            Found(ObjectClass.CAR, AT + 60_000, AT + 61_000, 0.9, inside),
            Found(ObjectClass.CAR, AT + 180_500, AT + 181_000, 0.9, inside),
            Found(ObjectClass.CAR, AT + 300_000, AT + 301_000, 0.9, inside),
        ]
        backtests.finish(conn, AT + HOUR, item.id, found)
        summary = backtest_marks.compare(conn, backtests.get(conn, item.id)).summary()
    assert summary == {
        "right": {"marked": 1, "reported": 1},
        "wrong": {"marked": 2, "reported": 1},
        "missed": {"marked": 1, "reported": 1},
        "unmarked": 1,
    }


def test_a_rule_that_could_never_report_is_not_switched_on(
    catalog: Catalog, camera: int, box: SecretBox
) -> None:
    """A rule about sound needs a camera that is listened to, any rule one that is analysed."""
    with catalog.write() as conn:
        loud = rules.add(conn, AT, Rule(0, camera, "Loud", RuleKind.SOUND), by="somebody")
        seen = rules.add(conn, AT, Rule(0, camera, "Seen", RuleKind.ENTER), by="somebody")
        with pytest.raises(BeholdenError) as caught:
            rules.change(conn, AT, loud.id, {"enabled": True}, by="somebody")
        assert caught.value.code == "not_listened_to"
        cameras.change(conn, box, AT, camera, {"listen": True})
        with pytest.raises(BeholdenError) as caught:
            rules.change(conn, AT, loud.id, {"enabled": True}, by="somebody")
        assert caught.value.code == "rule_not_tested"
        assert rules.change(conn, AT, loud.id, {"enabled": True}, by="somebody", untested=True).enabled
        cameras.change(conn, box, AT, camera, {"analyse": "off"})
        with pytest.raises(BeholdenError) as caught:
            rules.change(conn, AT, seen.id, {"enabled": True}, by="somebody", untested=True)
        assert caught.value.code == "not_analysed"
