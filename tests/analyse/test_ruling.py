"""Rules over live cameras: what they report is stored and told as an event, and follows the catalog."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from beholden.analyse.camera_faults import CameraFaults
from beholden.analyse.events import EventChange, Phase
from beholden.analyse.keeper import Keeper
from beholden.analyse.reports import Crossing
from beholden.analyse.ruling import Ruling
from beholden.analyse.sink import CatalogSink
from beholden.catalog import Catalog, cameras, counts, events, places, rules, sites
from beholden.catalog.cameras import NewCamera
from beholden.catalog.events import EventFilter
from beholden.catalog.secrets import SecretBox
from beholden.model.event import Box, Disturbance, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.place import PlaceKind
from beholden.model.rule import CameraFault, Rule, RuleKind, Severity
from beholden.model.site import SiteMode

from .conftest import START_MS, blank, decoded

SQUARE = [(0.4, 0.4), (0.6, 0.4), (0.6, 0.95), (0.4, 0.95)]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog with one camera, id 1."""
    made = Catalog.open(tmp_path)
    with made.write() as conn:
        sites.ensure(conn)
        cameras.add(conn, SecretBox.open(tmp_path), 1, NewCamera("gate", "rtsp://192.0.2.1/", listen=True))
    yield made
    made.close()


def draw(catalog: Catalog, **settings: Any) -> Rule:
    """A zone and a rule about it that is on."""
    with catalog.write() as conn:
        if "place" not in settings:
            settings["place"] = places.add(conn, 1, 1, PlaceKind.ZONE, "Square", SQUARE, "test").id
        given = {"kind": RuleKind.ENTER, "severity": Severity.ALERT, **settings}
        rule = Rule(id=0, camera=1, name="In the square", enabled=True, **given)
        return rules.add(conn, 1, rule, by="test", untested=True)


def cross(ruling: Ruling, start_ms: int = START_MS) -> None:
    """Somebody walks from left to right through the square in six seconds."""
    for number in range(31):
        x, at_ms = 0.1 + 0.8 * number / 30, start_ms + number * 200
        item = TrackedObject(1, ObjectClass.PERSON, 0.9, Box(x - 0.05, 0.5, x + 0.05, 0.8), False)
        ruling.tracked(TrackedFrame(1, at_ms, (item,)), decoded(blank(), at_ms))
    ruling.ended(1)


def test_a_report_becomes_an_event_with_its_rule_and_still(catalog: Catalog, tmp_path: Path) -> None:
    """Stored with rule, place, severity and still, counted, and told before its still is written."""
    rule = draw(catalog)
    with catalog.write() as conn:
        line = places.add(conn, 1, 1, PlaceKind.LINE, "Door", [(0.5, 1.0), (0.5, 0.0)], "test")
    told: list[tuple[Any, bool]] = []
    stills = tmp_path / "stills"

    def publish(news: Any) -> None:
        told.append((news, any(stills.rglob("*.jpg"))))

    keeper = Keeper(tmp_path, CatalogSink(catalog), publish)
    ruling = Ruling(keeper.put, keeper.count)
    ruling.refresh(catalog)
    cross(ruling)
    keeper.close()
    with catalog.read() as conn:
        (found,) = events.page(conn, EventFilter(rules=[rule.id]))
        hours = counts.of_events(conn, [1], START_MS - 3_600_000, START_MS + 3_600_000)
        crossed = counts.of_lines(conn, [1], START_MS - 3_600_000, START_MS + 3_600_000)
    hit = found.event.hit
    assert hit is not None
    assert (hit.what, hit.place, hit.severity) == ("enter", rule.place, "alert")
    assert found.event.still_size > 0
    assert found.event.end_ms is not None
    assert [(item.rule, item.events) for item in hours] == [(rule.id, 1)]
    assert [(item.place, item.went_in, item.went_out) for item in crossed] == [(line.id, 1, 0)]
    first, had_still = told[0]
    assert (first["phase"], first["event"]["rule"], first["event"]["severity"]) == ("start", rule.id, "alert")
    assert not had_still


def test_an_event_is_told_at_once(catalog: Catalog, tmp_path: Path) -> None:
    """The message follows the row: whoever gets it finds the event in the catalog."""
    draw(catalog)
    seen: list[int] = []

    def publish(news: Any) -> None:
        with catalog.read() as conn:
            seen.append(events.get(conn, news["event"]["id"]) is not None)

    keeper = Keeper(tmp_path, CatalogSink(catalog), publish)
    ruling = Ruling(keeper.put, keeper.count)
    ruling.refresh(catalog)
    cross(ruling)
    deadline = time.monotonic() + 30
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    keeper.close()
    assert seen
    assert all(seen)


def test_rules_follow_the_catalog(catalog: Catalog) -> None:
    """Switched off, redrawn, in another mode: at the next refresh, without a restart."""
    kept: list[EventChange] = []
    counted: list[Crossing] = []
    ruling = Ruling(kept.append, counted.append)

    def begun() -> int:
        kept.clear()
        ruling.refresh(catalog)
        cross(ruling, START_MS + 60_000 * next(minutes))
        return sum(change.phase is Phase.START for change in kept)

    minutes = iter(range(1, 100))
    assert begun() == 0
    rule = draw(catalog, modes=(SiteMode.ARMED,))
    assert begun() == 0
    with catalog.write() as conn:
        sites.set_mode(conn, START_MS, SiteMode.ARMED, "test")
    assert begun() == 1
    with catalog.write() as conn:
        assert rule.place is not None
        places.change(conn, 2, rule.place, points=[(0.0, 0.0), (0.1, 0.0), (0.1, 0.1)], by="test")
    assert begun() == 0
    with catalog.write() as conn:
        places.change(conn, 3, rule.place, points=SQUARE, by="test")
        rules.change(conn, 3, rule.id, {"enabled": False}, by="test")
    assert begun() == 0


def test_what_lasts_ends_when_its_rule_is_switched_off(catalog: Catalog) -> None:
    """No event is left open by a change of rules."""
    rule = draw(catalog)
    kept: list[EventChange] = []
    ruling = Ruling(kept.append, lambda _: None)
    ruling.refresh(catalog)
    for number in range(10):
        at_ms = START_MS + number * 200
        x = 0.4 + number / 60
        item = TrackedObject(1, ObjectClass.PERSON, 0.9, Box(x - 0.05, 0.5, x + 0.05, 0.8), False)
        ruling.tracked(TrackedFrame(1, at_ms, (item,)), decoded(blank(), at_ms))
    with catalog.write() as conn:
        rules.change(conn, 3, rule.id, {"enabled": False}, by="test")
    ruling.refresh(catalog)
    assert [change.phase for change in kept] == [Phase.START, Phase.END]


def test_a_covered_camera_is_an_event_about_the_camera(catalog: Catalog) -> None:
    """With the picture that shows it, from when it was covered until it is not; a sound is one without."""
    draw(catalog, kind=RuleKind.CAMERA, place=None)
    draw(catalog, kind=RuleKind.SOUND, place=None, level_db=-20.0)
    kept: list[EventChange] = []
    ruling = Ruling(kept.append, lambda _: None)
    ruling.refresh(catalog)
    for second in range(80):
        at_ms = START_MS + second * 1000
        shown = np.full((180, 320), 20, np.uint8) if 60 <= second < 70 else scene()
        ruling.pictured(1, at_ms, noisy(shown, second), decoded(blank(), at_ms))
    begin, end = kept
    assert (begin.kind, end.phase) == (Disturbance.CAMERA, Phase.END)
    assert begin.hit is not None
    assert begin.hit.detail == {"fault": "covered"}
    assert begin.still is not None
    assert START_MS + 60_000 <= begin.start_ms <= START_MS + 65_000
    kept.clear()
    for second in range(90, 100):
        ruling.heard(1, START_MS + second * 1000, -3.0 if second == 95 else -60.0)
    assert [(change.phase, change.kind) for change in kept] == [
        (Phase.START, Disturbance.SOUND),
        (Phase.END, Disturbance.SOUND),
    ]
    assert kept[0].still is None


def scene(seed: int = 1) -> NDArray[np.uint8]:
    """A picture with things in it."""
    random = np.random.default_rng(seed)
    small = random.integers(30, 220, (9, 16), np.uint8)
    return np.asarray(cv2.resize(small, (320, 180), interpolation=cv2.INTER_NEAREST), np.uint8)


def noisy(picture: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """With sensor noise."""
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def faults_of(pictures: list[NDArray[np.uint8]]) -> list[set[CameraFault]]:
    """What is found after a minute of the usual scene, one picture a second."""
    watcher = CameraFaults()
    for second in range(60):
        assert watcher.look(START_MS + second * 1000, noisy(scene(), second)) == set()
    found = [
        watcher.look(START_MS + (60 + number) * 1000, picture) for number, picture in enumerate(pictures)
    ]
    return [set(item) for item in found if item is not None]


@pytest.mark.parametrize(
    ("picture", "fault"),
    [
        (np.full((180, 320), 20, np.uint8), CameraFault.COVERED),
        (scene(7), CameraFault.TURNED),
        (cv2.GaussianBlur(scene(), (0, 0), 6), CameraFault.DEFOCUSED),
        (np.clip(scene() * 0.6, 0, 255).astype(np.uint8), None),
    ],
)
def test_trouble_with_the_camera_is_seen(picture: NDArray[np.uint8], fault: CameraFault | None) -> None:
    """Covered, turned, out of focus; light that fades is no trouble. It ends when the picture is back."""
    bad = [noisy(picture, 100 + number) for number in range(10)]
    good = [noisy(scene(), 200 + number) for number in range(3)]
    found = faults_of(bad + good)
    assert found[5] == ({fault} if fault is not None else set())
    assert found[-1] == set()


def test_a_picture_that_stands_still_is_frozen() -> None:
    """Not one grey level in a minute; a real scene has noise."""
    picture = noisy(scene(), 1)
    assert CameraFault.FROZEN in faults_of([picture] * 70)[-1]
    assert faults_of([noisy(scene(), 300 + number) for number in range(70)])[-1] == set()


def test_something_large_in_view_is_no_trouble() -> None:
    """A van before the camera hides a third of the picture."""
    van = scene()
    van[60:170, 60:200] = 120
    assert faults_of([noisy(van, number) for number in range(10)])[-1] == set()
