"""Verdicts, the measured card, counts and back-tests over the API."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.catalog import backtests, counts, events, journal
from beholden.model.backtest import Found
from beholden.model.event import Box, ObjectClass, RuleHit
from beholden.model.time import to_rfc3339

HOUR = 3_600_000
BOX = {"left": 0.1, "top": 0.1, "right": 0.3, "bottom": 0.5}


def test_a_verdict_makes_a_card(site: Any) -> None:
    """Right and wrong give precision, a drawn miss gives recall, each with its sample and interval."""
    viewer, path = site.client("viewer"), f"/api/v1/events/{site.gate_event}/verdict"
    assert viewer.put(path, json={"verdict": "wrong"}).json()["verdict"] == "wrong"
    assert viewer.put(path, json={"verdict": "right"}).json()["verdict"] == "right"
    card = f"/api/v1/cameras/{site.gate}/card"
    row = viewer.get(card).json()["rows"][0]
    assert (row["kind"], row["rule"], row["right"], row["wrong"], row["recall"]) == (
        "person",
        None,
        1,
        0,
        None,
    )
    assert row["precision"]["of"] == 1
    assert row["precision"]["low"] < 0.25 < row["precision"]["high"] == 1.0
    missed = {"at": "2026-01-01T00:00:00Z", "kind": "person", "box": BOX}
    made = viewer.post(f"/api/v1/cameras/{site.gate}/missed", json=missed)
    assert made.status_code == 201
    assert viewer.get(card).json()["rows"][0]["recall"]["value"] == 0.5
    assert viewer.get(f"/api/v1/cameras/{site.gate}/missed").json()["missed"] == [made.json()]
    assert viewer.delete(f"/api/v1/missed/{made.json()['id']}").status_code == 204
    assert viewer.delete(path).status_code == 204
    assert viewer.get(card).json()["rows"] == []
    with site.catalog.read() as conn:
        said = [fact.body["by"] for fact in journal.entries(conn) if fact.kind.startswith("verdict_")]
    assert said == ["viewer"] * 5


def test_verdicts_are_for_those_who_may_see_the_past(site: Any) -> None:
    """An event of another camera is not there; its card is not shown."""
    viewer = site.client("viewer")
    path = f"/api/v1/events/{site.yard_event}/verdict"
    assert viewer.put(path, json={"verdict": "right"}).status_code == 404
    assert viewer.get(f"/api/v1/cameras/{site.yard}/card").status_code == 403
    missed = {"at": "2026-01-01T00:00:00Z", "kind": "person", "box": BOX}
    assert viewer.post(f"/api/v1/cameras/{site.yard}/missed", json=missed).status_code == 403


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ({**BOX, "right": 1.5}, "place_outside"),
        ({**BOX, "right": 0.1}, "bad_box"),
        ({"left": 0}, "bad_request"),
    ],
)
def test_a_miss_is_drawn_within_the_picture(site: Any, box: dict[str, float], code: str) -> None:
    """Around something."""
    body = {"at": "2026-01-01T00:00:00Z", "kind": "person", "box": box}
    refused = site.client("viewer").post(f"/api/v1/cameras/{site.gate}/missed", json=body)
    assert refused.json()["error"]["code"] == code


def test_counts_come_by_hour_and_by_the_sites_day(site: Any) -> None:
    """From roll-ups; a viewer gets those of their cameras."""
    start = 1_767_222_000_000  # 2025-12-31T23:00Z: midnight in Oslo
    with site.catalog.write() as conn:
        for at in (start, start + 1000, start + HOUR, start - 1):
            events.start_event(conn, site.gate, ObjectClass.CAR, at, 0.9, Box(0, 0, 1, 1), at)
        hit = RuleHit(7, "enter", None, "alert")
        events.start_event(conn, site.gate, ObjectClass.CAR, start, 0.9, Box(0, 0, 1, 1), start, hit)
        events.start_event(conn, site.yard, ObjectClass.BUS, start, 0.9, Box(0, 0, 1, 1), start)
    span = f"from={to_rfc3339(start - HOUR)}&to={to_rfc3339(start + 2 * HOUR)}&camera={site.gate}"
    viewer = site.client("viewer")

    def counted(query: str) -> list[Any]:
        series = viewer.get(f"/api/v1/counts?{span}&{query}").json()["series"]
        cars = [item for item in series if item["kind"] != "person"]
        return [(item["kind"], item["rule"], [step["count"] for step in item["counts"]]) for item in cars]

    assert counted("step=hour") == [("car", None, [1, 2, 1])]
    assert counted("step=day") == [("car", None, [1, 3])]
    assert counted("by=rule") == [("car", 7, [1])]
    assert (
        viewer.get(f"/api/v1/counts?{span}&camera={site.yard}").json()["series"]
        == viewer.get(f"/api/v1/counts?{span}").json()["series"]
    )


def test_a_line_counts_both_ways(site: Any) -> None:
    """In and out, per class."""
    admin = site.client("admin")
    body = {"kind": "line", "name": "Door", "points": [[0.5, 0.1], [0.5, 0.9]]}
    line = admin.post(f"/api/v1/cameras/{site.gate}/places", json=body).json()["id"]
    with site.catalog.write() as conn:
        for went_in in (True, True, False):
            counts.add_crossing(conn, line, 1_767_225_600_000, ObjectClass.PERSON, went_in)
    span = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&by=line"
    (series,) = admin.get(f"/api/v1/counts?{span}").json()["series"]
    assert (series["place_name"], series["kind"]) == ("Door", "person")
    assert series["counts"] == [{"at": "2026-01-01T00:00:00.000Z", "in": 2, "out": 1}]


def test_rules_events_are_told_apart(site: Any) -> None:
    """By rule and severity, with what was measured."""
    admin = site.client("admin")
    now = site.clock.now_ms()
    with site.catalog.write() as conn:
        hit = RuleHit(7, "speed", 3, "alert", {"speed_kmh": 61.5})
        number = events.start_event(conn, site.gate, ObjectClass.CAR, now, 0.9, Box(0, 0, 1, 1), now, hit)
    (event,) = admin.get("/api/v1/events?severity=alert").json()["events"]
    assert (event["id"], event["rule"], event["what"], event["place"]) == (number, 7, "speed", 3)
    assert event["detail"] == {"speed_kmh": 61.5}
    assert len(admin.get("/api/v1/events?rule=7").json()["events"]) == 1
    assert len(admin.get("/api/v1/events?severity=note").json()["events"]) == 2
    assert admin.get("/api/v1/events?class=sound").json()["events"] == []


def test_a_back_test_tests_a_rule(site: Any) -> None:
    """Asked for, worked on, done: then the rule as it is now counts as tested, and what it found is held
    against what people marked."""
    admin, now = site.client("admin"), site.clock.now_ms()
    rule = admin.post(f"/api/v1/cameras/{site.gate}/rules", json={"name": "Any", "kind": "enter"}).json()
    span = {"from": to_rfc3339(now - HOUR), "to": to_rfc3339(now)}
    asked = admin.post("/api/v1/backtests", json={"camera": site.gate, **span, "rule": rule["id"]})
    assert asked.status_code == 201
    test = asked.json()
    assert (test["state"], test["progress"], test["rule_name"]) == ("queued", 0.0, "Any")
    admin.put(f"/api/v1/events/{site.gate_event}/verdict", json={"verdict": "right"})
    found = Found(ObjectClass.PERSON, now - 5500, now - 4000, 0.8, Box(0, 0, 1, 1), {})
    with site.catalog.write() as conn:
        claimed = backtests.claim(conn, now)
        assert claimed is not None
        assert claimed.id == test["id"]
        assert backtests.claim(conn, now) is None
        assert backtests.advance(
            conn, now, claimed.id, done_ms=now - HOUR // 2, footage_ms=9, work_ms=1, source="decode"
        )
    assert admin.get(f"/api/v1/backtests/{test['id']}").json()["progress"] == 0.5
    with site.catalog.write() as conn:
        backtests.finish(conn, now, test["id"], [found])
    done = admin.get(f"/api/v1/backtests/{test['id']}").json()
    assert (done["state"], done["found"], done["progress"]) == ("done", 1, 1.0)
    assert done["marks"]["right"] == {"marked": 1, "reported": 1}
    (event,) = admin.get(f"/api/v1/backtests/{test['id']}/events").json()["events"]
    assert (event["event"], event["verdict"]) == (site.gate_event, "right")
    path = f"/api/v1/rules/{rule['id']}"
    assert admin.get(path).json()["tested"]["backtest"] == test["id"]
    assert admin.patch(path, json={"enabled": True}).json()["enabled"] is True
    assert admin.patch(path, json={"min_size": 0.1}).json()["tested"] is None


def test_a_draft_is_back_tested_without_being_stored(site: Any) -> None:
    """With a place of its own; what means nothing is refused as for a stored rule."""
    admin, now = site.client("admin"), site.clock.now_ms()
    span = {"camera": site.gate, "from": to_rfc3339(now - HOUR), "to": to_rfc3339(now)}
    zone = {"kind": "zone", "name": "Try", "points": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]}
    body = {**span, "rule": {"name": "Draft", "kind": "enter"}, "place": zone}
    made = admin.post("/api/v1/backtests", json=body).json()
    assert (made["rule"], made["rule_name"], made["place_name"]) == (None, "Draft", "Try")
    assert admin.get("/api/v1/rules").json() == {"rules": []}
    outside = {**body, "place": {**zone, "points": [[0.1, 0.1], [2, 0.1], [0.5, 0.9]]}}
    assert admin.post("/api/v1/backtests", json=outside).json()["error"]["code"] == "place_outside"
    assert (
        admin.post("/api/v1/backtests", json={**body, "to": span["from"]}).json()["error"]["code"]
        == "bad_range"
    )
    cancelled = admin.post(f"/api/v1/backtests/{made['id']}/cancel", json={}).json()
    assert cancelled["state"] == "cancelled"
    assert admin.delete(f"/api/v1/backtests/{made['id']}").status_code == 204
    assert admin.get("/api/v1/backtests").json() == {"backtests": []}
    assert site.client("viewer").get("/api/v1/backtests").status_code == 403
