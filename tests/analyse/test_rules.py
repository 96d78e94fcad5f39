"""The rules of a camera: each kind reports what it should and nothing else, the same however it is fed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.analyse.events import Phase
from beholden.analyse.hours import Hours
from beholden.analyse.reports import Crossing, Outcome, Report
from beholden.analyse.rules import Assignment, Engine
from beholden.model.event import Box, Disturbance, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import CameraFault, Direction, Rule, RuleKind, Window
from beholden.model.site import SiteMode

START = 1_767_225_600_000  # Thursday 2026-01-01T00:00Z
STEP = 200
ALWAYS = Hours(ZoneInfo("UTC"), [(0, SiteMode.HOME)])
SQUARE = Place(1, 1, PlaceKind.ZONE, "Square", ((0.4, 0.4), (0.6, 0.4), (0.6, 0.95), (0.4, 0.95)), 1, 0)
DOOR = Place(2, 1, PlaceKind.LINE, "Door", ((0.5, 0.0), (0.5, 1.0)), 1, 0)  # in: to the left
PERSON, CAR, BAG = ObjectClass.PERSON, ObjectClass.CAR, ObjectClass.BAG


def rule(kind: RuleKind, **settings_: Any) -> Rule:
    """A rule that is on."""
    return Rule(id=7, camera=1, name="x", kind=kind, enabled=True, **settings_)


def thing(
    track: int, x: float, y: float, kind: ObjectClass = PERSON, size: float = 0.1, still: bool = False
) -> TrackedObject:
    """An object that stands at (x, y)."""
    box = Box(x - size / 2, y - 2 * size, x + size / 2, y)
    return TrackedObject(track, kind, 0.8, box, still)


def walk(
    track: int, points: Sequence[tuple[float, float]], seconds: float, kind: ObjectClass = PERSON
) -> list[TrackedObject]:
    """An object that goes evenly along these points."""
    steps = round(seconds * 1000 / STEP)
    found = []
    for number in range(steps + 1):
        along = number / steps * (len(points) - 1)
        piece = min(int(along), len(points) - 2)
        share = along - piece
        (ax, ay), (bx, by) = points[piece], points[piece + 1]
        found.append(thing(track, ax + (bx - ax) * share, ay + (by - ay) * share, kind))
    return found


def frames(*tracks: Sequence[TrackedObject], start: int = START) -> list[TrackedFrame]:
    """One frame a step, with what each track has in it."""
    return [
        TrackedFrame(1, start + number * STEP, tuple(item for item in row if item is not None))
        for number, row in enumerate(itertools.zip_longest(*tracks))
    ]


def run(engine: Engine, fed: Iterable[TrackedFrame]) -> list[Outcome]:
    """All that follows, the end included."""
    outcomes = [outcome for frame in fed for outcome in engine.look(frame)]
    return outcomes + engine.end()


def starts(outcomes: Iterable[Outcome]) -> list[Report]:
    """The beginnings of reports."""
    return [item for item in outcomes if isinstance(item, Report) and item.phase is Phase.START]


def one(wanted: Rule, place: Place | None = SQUARE, hours: Hours = ALWAYS, **more: Any) -> Engine:
    """An engine with one rule."""
    return Engine([Assignment(wanted, place)], hours, **more)


THROUGH = walk(1, [(0.1, 0.8), (0.9, 0.8)], 8)


def test_what_comes_in_is_reported_once_with_its_times() -> None:
    """From the first picture inside to the last, once."""
    outcomes = run(one(rule(RuleKind.ENTER, place=1)), frames(THROUGH))
    (report,) = starts(outcomes)
    (end,) = [item for item in outcomes if isinstance(item, Report) and item.phase is Phase.END]
    assert report.sight.kind is PERSON
    assert report.start_ms == pytest.approx(START + 3000, abs=STEP)
    assert end.end_ms == pytest.approx(START + 5000, abs=2 * STEP)
    assert report.key == end.key


def test_what_passes_beside_is_not_reported() -> None:
    """Neither an object outside nor one that stays too short."""
    beside = walk(1, [(0.1, 0.3), (0.9, 0.3)], 8)
    assert run(one(rule(RuleKind.ENTER, place=1)), frames(beside)) == []
    assert starts(run(one(rule(RuleKind.ENTER, place=1, min_seconds=5.0)), frames(THROUGH))) == []
    assert len(starts(run(one(rule(RuleKind.ENTER, place=1, min_seconds=1.0)), frames(THROUGH)))) == 1


def test_what_leaves_is_reported_when_it_leaves() -> None:
    """Out of the zone; out of view only over the edge."""
    (report,) = starts(run(one(rule(RuleKind.LEAVE, place=1)), frames(THROUGH)))
    assert report.start_ms == pytest.approx(START + 5000, abs=3 * STEP)
    over_the_edge = frames(walk(1, [(0.5, 0.8), (0.97, 0.8)], 5), [*[thing(9, 0.2, 0.5, CAR)] * 60])
    assert len(starts(run(one(rule(RuleKind.LEAVE), None), over_the_edge))) == 1
    hidden = frames(walk(1, [(0.2, 0.8), (0.5, 0.8)], 5), [*[thing(9, 0.2, 0.5, CAR)] * 60])
    assert starts(run(one(rule(RuleKind.LEAVE), None), hidden)) == []


def test_who_stays_long_loiters() -> None:
    """Thirty seconds when nothing else is said."""
    stays = walk(1, [(0.1, 0.8), (0.5, 0.8)], 4) + [thing(1, 0.5, 0.8)] * 200
    loiter = one(rule(RuleKind.LOITER, place=1))
    (report,) = starts(run(loiter, frames(stays)))
    assert report.at_ms - report.start_ms == pytest.approx(30_000, abs=STEP)
    assert starts(run(one(rule(RuleKind.LOITER, place=1)), frames(THROUGH))) == []


@pytest.mark.parametrize(
    ("way", "direction", "told"),
    [
        ([(0.8, 0.8), (0.2, 0.8)], Direction.IN, ["in"]),
        ([(0.8, 0.8), (0.2, 0.8)], Direction.OUT, []),
        ([(0.2, 0.8), (0.8, 0.8)], Direction.OUT, ["out"]),
        ([(0.2, 0.8), (0.8, 0.8), (0.2, 0.8)], Direction.BOTH, ["out", "in"]),
        ([(0.2, 0.8), (0.505, 0.8), (0.2, 0.8)], Direction.BOTH, []),
    ],
)
def test_a_line_tells_the_way(way: list[tuple[float, float]], direction: Direction, told: list[str]) -> None:
    """Each way by itself; one who turns on the line has not crossed."""
    engine = one(rule(RuleKind.CROSS, place=2, direction=direction), DOOR, lines=[DOOR])
    outcomes = run(engine, frames(walk(1, way, 8)))
    assert [item.sight.detail["direction"] for item in starts(outcomes)] == told
    crossings = [item.went_in for item in outcomes if isinstance(item, Crossing)]
    if direction is Direction.BOTH or told:
        assert crossings == [word == "in" for word in told]


def test_lines_are_counted_without_a_rule() -> None:
    """A drawn line counts, by class."""
    outcomes = run(Engine([], ALWAYS, lines=[DOOR]), frames(walk(1, [(0.8, 0.8), (0.2, 0.8)], 4, CAR)))
    assert [(item.place, item.kind, item.went_in) for item in outcomes if isinstance(item, Crossing)] == [
        (2, CAR, True)
    ]


def test_occupancy_needs_as_many_at_once() -> None:
    """Two of three are enough for two, not for four."""
    crowd = [
        walk(n, [(0.3, 0.8), (0.5, 0.7 + n / 20)], 3) + [thing(n, 0.5, 0.7 + n / 20)] * 50 for n in (1, 2, 3)
    ]
    for count, told in ((2, 1), (4, 0)):
        wanted = rule(RuleKind.OCCUPANCY, place=1, count=count, min_seconds=2.0)
        found = starts(run(one(wanted), frames(*crowd)))
        assert len(found) == told


def bag_story(taken: bool) -> list[TrackedFrame]:
    """Somebody puts a bag down and goes; after 90 s somebody else passes and takes it, or does not."""
    first = walk(1, [(0.1, 0.8), (0.5, 0.8), (0.1, 0.8)], 20)
    idle = [TrackedObject(9, CAR, 0.8, Box(0.8, 0.1, 0.95, 0.2), True)] * 700
    bag = [None] * 55 + [thing(3, 0.5, 0.82, BAG, 0.03)] * (445 if taken else 645)
    second = [None] * 460 + walk(2, [(0.9, 0.8), (0.5, 0.8), (0.9, 0.8)], 16)
    return frames(idle, first, bag, second)  # type: ignore[arg-type]


def test_a_bag_left_is_reported_after_its_time() -> None:
    """Once; what was there from the beginning was not left."""
    (report,) = starts(run(one(rule(RuleKind.LEFT, place=1)), bag_story(False)))
    assert report.sight.kind is BAG
    assert report.start_ms == pytest.approx(START + 11_000, abs=1000)
    there = frames([thing(3, 0.5, 0.82, BAG, 0.03)] * 600, walk(1, [(0.1, 0.8), (0.5, 0.8), (0.1, 0.8)], 20))
    assert starts(run(one(rule(RuleKind.LEFT, place=1)), there)) == []


def test_a_bag_nobody_brought_is_a_mistake_of_the_detector() -> None:
    """What appears with nobody near was not left by anybody."""
    alone = frames([thing(9, 0.1, 0.2, CAR)] * 600, [None] * 100 + [thing(3, 0.5, 0.82, BAG, 0.03)] * 500)  # type: ignore[list-item]
    assert starts(run(one(rule(RuleKind.LEFT, place=1)), alone)) == []


def test_a_bag_taken_is_reported_when_it_is_gone() -> None:
    """After it lay for its time and somebody was at it."""
    (report,) = starts(run(one(rule(RuleKind.TAKEN, place=1)), bag_story(True)))
    assert report.sight.kind is BAG
    assert starts(run(one(rule(RuleKind.TAKEN, place=1)), bag_story(False))) == []


PLANE = GroundPlane(
    1,
    ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    ((0.0, 0.0), (50.0, 0.0), (50.0, 50.0), (0.0, 50.0)),
    1,
    0,
)


@pytest.mark.parametrize(("seconds", "told"), [(2.0, 1), (6.0, 0)])
def test_speed_is_measured_on_the_ground(seconds: float, told: int) -> None:
    """40 m in 2 s are 72 km/h; in 6 s they are 24."""
    fed = frames(walk(1, [(0.1, 0.8), (0.9, 0.8)], seconds, CAR))
    outcomes = run(one(rule(RuleKind.SPEED, speed_kmh=50.0), None, plane=PLANE), fed)
    assert len(starts(outcomes)) == told
    if told:
        last = [item for item in outcomes if isinstance(item, Report)][-1].sight.detail
        assert float(last["speed_kmh"]) == pytest.approx(72, rel=0.15)
        assert last["heading"] in (0, 360)


def test_speed_is_for_vehicles_unless_said_otherwise() -> None:
    """A person is not a speeding car."""
    fed = frames(walk(1, [(0.1, 0.8), (0.9, 0.8)], 2))
    assert starts(run(one(rule(RuleKind.SPEED), None, plane=PLANE), fed)) == []


@pytest.mark.parametrize(
    ("place", "heading", "way", "told"),
    [
        (DOOR, None, [(0.2, 0.8), (0.8, 0.8)], 1),
        (DOOR, None, [(0.8, 0.8), (0.2, 0.8)], 0),
        (SQUARE, 0.0, [(0.9, 0.8), (0.1, 0.8)], 1),
        (SQUARE, 0.0, [(0.1, 0.8), (0.9, 0.8)], 0),
    ],
)
def test_the_wrong_way(place: Place, heading: float | None, way: Any, told: int) -> None:
    """Against a line's direction, or against a heading in a zone."""
    wanted = rule(RuleKind.WRONG_WAY, place=place.id, heading=heading)
    assert len(starts(run(one(wanted, place), frames(walk(1, way, 4, CAR))))) == told


def test_a_vehicle_that_stops_is_reported_and_a_parked_one_is_not() -> None:
    """It must have driven."""
    stops = walk(1, [(0.1, 0.8), (0.5, 0.8)], 4, CAR) + [thing(1, 0.5, 0.8, CAR)] * 400
    (report,) = starts(run(one(rule(RuleKind.STOPPED, place=1)), frames(stops)))
    assert report.start_ms == pytest.approx(START + 4000, abs=2000)
    parked = [thing(1, 0.5, 0.8, CAR, still=True)] * 600
    assert starts(run(one(rule(RuleKind.STOPPED, place=1)), frames(parked))) == []
    assert starts(run(one(rule(RuleKind.ENTER, place=1)), frames(parked))) == []


def test_a_parked_car_that_drives_off_has_not_entered() -> None:
    """It was there."""
    leaves = [thing(1, 0.5, 0.8, CAR, still=True)] * 50 + walk(1, [(0.5, 0.8), (0.9, 0.8)], 4, CAR)
    assert starts(run(one(rule(RuleKind.ENTER, place=1)), frames(leaves))) == []


def test_who_rested_elsewhere_enters() -> None:
    """Resting outside of a zone is no reason to overlook who then comes in."""
    comes = [thing(1, 0.2, 0.8, CAR, still=True)] * 50 + walk(1, [(0.2, 0.8), (0.5, 0.8)], 3, CAR)
    assert len(starts(run(one(rule(RuleKind.ENTER, place=1)), frames(comes)))) == 1
    jumps = [thing(1, 0.2, 0.8, CAR, still=True)] * 50 + [thing(1, 0.5, 0.8, CAR, still=True)] * 20
    assert len(starts(run(one(rule(RuleKind.ENTER, place=1)), frames(jumps)))) == 1


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"classes": (CAR,)}, 0),
        ({"classes": (CAR, PERSON)}, 1),
        ({"min_size": 0.1}, 0),
        ({"max_size": 0.001}, 0),
        ({"min_score": 0.9}, 0),
        ({"modes": (SiteMode.ARMED,)}, 0),
        ({"modes": (SiteMode.HOME, SiteMode.ARMED)}, 1),
        ({"schedule": (Window(3, 0, 60),)}, 1),
        ({"schedule": (Window(3, 60, 120), Window(4, 0, 1440))}, 0),
    ],
)
def test_filters_schedules_and_modes(wanted: dict[str, Any], told: int) -> None:
    """Each leaves out what it should: class, size, score, the site's mode, the hour."""
    assert len(starts(run(one(rule(RuleKind.ENTER, place=1, **wanted)), frames(THROUGH)))) == told


def test_the_schedule_goes_by_the_sites_clock() -> None:
    """Midnight UTC is one o'clock in Oslo."""
    oslo = Hours(ZoneInfo("Europe/Oslo"), [(0, SiteMode.HOME)])
    wanted = rule(RuleKind.ENTER, place=1, schedule=(Window(3, 60, 61),))
    assert len(starts(run(one(wanted, hours=oslo), frames(THROUGH)))) == 1


def test_the_mode_is_that_of_the_instant() -> None:
    """A site armed in between."""
    hours = Hours(ZoneInfo("UTC"), [(0, SiteMode.HOME), (START + 60_000, SiteMode.ARMED)])
    engine = one(rule(RuleKind.ENTER, place=1, modes=(SiteMode.ARMED,)), hours=hours)
    assert starts(run(engine, frames(THROUGH))) == []
    assert len(starts(run(engine, frames(THROUGH, start=START + 120_000)))) == 1


def test_a_cool_down_leaves_out_what_follows_too_soon() -> None:
    """The second of two within it; with none, both."""
    twice = frames(THROUGH, [None] * 20 + [*walk(2, [(0.1, 0.8), (0.9, 0.8)], 8)])  # type: ignore[list-item]
    for seconds, told in ((0.0, 2), (30.0, 1)):
        wanted = rule(RuleKind.ENTER, place=1, cooldown_seconds=seconds)
        assert len(starts(run(one(wanted), twice))) == told


def test_overlapping_rules_report_each_for_itself() -> None:
    """Two rules on one zone, one on a zone that overlaps it."""
    other = Place(3, 1, PlaceKind.ZONE, "Other", ((0.3, 0.3), (0.55, 0.3), (0.55, 0.95), (0.3, 0.95)), 1, 0)
    assigned = [
        Assignment(rule(RuleKind.ENTER, place=1), SQUARE),
        Assignment(rule(RuleKind.LEAVE, place=1), SQUARE),
        Assignment(rule(RuleKind.ENTER, place=3), other),
    ]
    found = starts(run(Engine(assigned, ALWAYS), frames(THROUGH)))
    assert [(item.rule.kind, item.rule.place) for item in found] == [
        (RuleKind.ENTER, 3),
        (RuleKind.ENTER, 1),
        (RuleKind.LEAVE, 1),
    ]


def test_five_hundred_zones() -> None:
    """Each reports what comes through it."""
    assigned = []
    for number in range(500):
        left = number / 500 * 0.7
        corners = ((left, 0.5), (left + 0.3, 0.5), (left + 0.3, 0.95), (left, 0.95))
        place = Place(number + 1, 1, PlaceKind.ZONE, str(number), corners, 1, 0)
        assigned.append(Assignment(rule(RuleKind.ENTER, place=place.id), place))
    found = starts(run(Engine(assigned, ALWAYS), frames(THROUGH)))
    assert {item.rule.place for item in found} == set(range(1, 501))


def test_trouble_with_the_camera_and_loud_sounds() -> None:
    """Reported for as long as they last, when asked for."""
    engine = one(rule(RuleKind.CAMERA, faults=(CameraFault.COVERED,), min_seconds=2.0), None)
    outcomes: list[Outcome] = []
    for second in range(20):
        faults = {CameraFault.COVERED, CameraFault.FROZEN} if 5 <= second < 12 else set()
        outcomes += engine.fault(START + second * 1000, faults)
    begin, end = (item for item in outcomes if isinstance(item, Report))
    assert begin.sight.kind is Disturbance.CAMERA
    assert begin.sight.detail == {"fault": "covered"}
    assert (begin.start_ms, end.end_ms) == (START + 5000, START + 11_000)
    loud = one(rule(RuleKind.SOUND, level_db=-20.0), None)
    heard = [
        item
        for second in range(10)
        for item in loud.heard(START + second * 1000, -10.0 if second == 4 else -50.0)
    ]
    assert [item.phase for item in heard if isinstance(item, Report)] == [Phase.START, Phase.END]


coordinates = st.floats(0.05, 0.95)
paths = st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=5)
scenes = st.lists(
    st.tuples(paths, st.sampled_from([PERSON, CAR, BAG]), st.integers(0, 20), st.floats(1, 12)), max_size=4
)
ALL = [
    Assignment(rule(RuleKind.ENTER, place=1), SQUARE),
    Assignment(rule(RuleKind.LEAVE), None),
    Assignment(rule(RuleKind.LOITER, place=1, min_seconds=2.0), SQUARE),
    Assignment(rule(RuleKind.CROSS, place=2), DOOR),
    Assignment(rule(RuleKind.OCCUPANCY, place=1, count=2), SQUARE),
    Assignment(rule(RuleKind.LEFT, min_seconds=1.0), None),
    Assignment(rule(RuleKind.TAKEN, min_seconds=1.0), None),
    Assignment(rule(RuleKind.SPEED, speed_kmh=20.0), None),
    Assignment(rule(RuleKind.WRONG_WAY, heading=90.0), None),
    Assignment(rule(RuleKind.STOPPED, min_seconds=1.0), None),
]


def scene(drawn: list[Any]) -> list[TrackedFrame]:
    """Frames of what hypothesis drew."""
    tracks = [
        [None] * late + walk(number, points, seconds, kind)  # type: ignore[operator]
        for number, (points, kind, late, seconds) in enumerate(drawn, 1)
    ]
    return frames(*tracks)


@settings(max_examples=15, deadline=None)
@given(scenes)
def test_the_same_frames_give_the_same_reports(drawn: list[Any]) -> None:
    """However often, and whether or not time was told in between: a back-test is what would have been."""
    fed = scene(drawn)
    plain = run(Engine(ALL, ALWAYS, lines=[DOOR], plane=PLANE), fed)
    again = Engine(ALL, ALWAYS, lines=[DOOR], plane=PLANE)
    ticked: list[Outcome] = []
    for frame in fed:
        ticked += again.advance(frame.at_ms - STEP // 2)
        ticked += again.look(frame)
    ticked += again.end()
    assert ticked == plain


@settings(max_examples=15, deadline=None)
@given(scenes)
def test_every_report_that_begins_ends_once_and_in_order(drawn: list[Any]) -> None:
    """No report is left open, none ends before it begins, none is told twice."""
    outcomes = run(Engine(ALL, ALWAYS, lines=[DOOR], plane=PLANE), scene(drawn))
    open_: dict[int, Report] = {}
    seen: set[int] = set()
    for item in outcomes:
        if isinstance(item, Crossing):
            continue
        if item.phase is Phase.START:
            assert item.key not in seen
            seen.add(item.key)
            open_[item.key] = item
        elif item.phase is Phase.UPDATE:
            assert item.key in open_
        else:
            begun = open_.pop(item.key)
            assert item.end_ms is not None
            assert item.end_ms >= begun.start_ms
    assert open_ == {}
