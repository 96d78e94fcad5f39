"""Events, timeline and looks over the API: what one may not see is not there."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.catalog import events, gaps, users
from beholden.catalog.gaps import Gap
from beholden.catalog.users import Grant
from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.event import Box, ObjectClass
from beholden.model.gap import GapCause
from beholden.model.time import to_rfc3339

DAY = "from=2025-12-31T00:00:00Z&to=2026-01-02T00:00:00Z"


def add(site: Any, camera: int, start_ms: int, kind: ObjectClass = ObjectClass.CAR) -> int:
    """One more event that lasted a second."""
    with site.catalog.write() as conn:
        number = events.start_event(conn, camera, kind, start_ms, 0.5, Box(0, 0, 1, 1), start_ms)
        events.end_event(conn, number, start_ms + 1000)
    return number


def ids(answer: Any) -> list[int]:
    """The ids of a page."""
    return [event["id"] for event in answer.json()["events"]]


def test_a_viewer_sees_events_of_their_cameras_only(site: Any) -> None:
    """In the list, by camera, one by one, and in the count."""
    viewer = site.client("viewer")
    assert ids(viewer.get("/api/v1/events")) == [site.gate_event]
    assert viewer.get("/api/v1/events").json()["unreviewed"] == 1
    assert ids(viewer.get(f"/api/v1/events?camera={site.yard}")) == []
    assert viewer.get(f"/api/v1/events/{site.gate_event}").status_code == 200
    foreign, missing = viewer.get(f"/api/v1/events/{site.yard_event}"), viewer.get("/api/v1/events/999")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json()["error"]["code"] == missing.json()["error"]["code"] == "event_not_found"


def test_marking_reviewed_does_not_reach_other_cameras(site: Any) -> None:
    """Neither by id nor by time."""
    viewer, admin = site.client("viewer"), site.client("admin")
    both = {"ids": [site.gate_event, site.yard_event], "reviewed": True}
    assert viewer.post("/api/v1/events/reviewed", json=both).json() == {"changed": 1}
    assert admin.get(f"/api/v1/events/{site.yard_event}").json()["reviewed"] is False
    assert viewer.post("/api/v1/events/reviewed", json={**both, "reviewed": False}).json() == {"changed": 1}
    until = {"until": to_rfc3339(site.clock.now_ms()), "reviewed": True}
    assert viewer.post("/api/v1/events/reviewed", json=until).json() == {"changed": 1}
    assert admin.get("/api/v1/events?reviewed=false").json()["events"][0]["id"] == site.yard_event


def test_a_right_to_live_alone_shows_nothing_of_the_past(site: Any) -> None:
    """A gatekeeper who may watch now is not told who came by yesterday."""
    with site.catalog.write() as conn:
        users.set_grants(conn, site.viewer, frozenset({Grant(site.gate, Action.LIVE)}))
    viewer = site.client("viewer")
    assert len(viewer.get("/api/v1/cameras").json()["cameras"]) == 1
    assert ids(viewer.get("/api/v1/events")) == []
    assert viewer.get(f"/api/v1/timeline?camera={site.gate}&{DAY}").status_code == 403


def test_pages_follow_each_other_without_loss(site: Any) -> None:
    """Newest first, by ``before``, also with equal times; filters hold over pages."""
    now = site.clock.now_ms()
    for number in range(7):
        add(site, site.gate, now - 1000 * (number // 2))
    admin, seen, before = site.client("admin"), [], ""
    while True:
        page = admin.get(f"/api/v1/events?class=car&limit=3{before}")
        seen += ids(page)
        if page.json()["next"] is None:
            break
        before = f"&before={page.json()['next']}"
    assert len(seen) == len(set(seen)) == 7
    starts = [admin.get(f"/api/v1/events/{number}").json()["start"] for number in seen]
    assert starts == sorted(starts, reverse=True)


def test_filters(site: Any) -> None:
    """Class may repeat; times bound the overlap; there is no filter for who."""
    admin, now = site.client("admin"), site.clock.now_ms()
    old = add(site, site.gate, now - 3_600_000)
    assert old in ids(admin.get("/api/v1/events?class=car&class=bus"))
    assert ids(admin.get(f"/api/v1/events?until={to_rfc3339(now - 1_800_000)}")) == [old]
    assert old not in ids(admin.get(f"/api/v1/events?since={to_rfc3339(now - 1_800_000)}"))
    assert admin.get("/api/v1/events?class=alice").status_code == 422
    assert ids(admin.get("/api/v1/events?who=alice")) == ids(admin.get("/api/v1/events"))


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday", "since=2026-01-01T00:00:00", "until=99999-01-01T00:00:00Z", "limit=0", "limit=999",
        "before=-1", "before=99999999999999999999", "camera=x", "since=0001-01-01T00:00:00%2B23:59",
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_words(site: Any, query: str) -> None:
    """422, never 500."""
    answer = site.client("admin").get(f"/api/v1/events?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_request")


def test_an_event_has_no_field_for_who(site: Any) -> None:
    """What, where and when."""
    event = site.client("admin").get(f"/api/v1/events/{site.gate_event}").json()
    assert set(event) == {
        "id", "camera", "kind", "start", "end", "score", "box", "has_still", "reviewed",
        "rule", "what", "place", "severity", "detail", "verdict",
    }  # fmt: skip


def test_the_timeline_shows_gaps_in_words_and_events(site: Any) -> None:
    """A lane for each camera asked, in that order."""
    now = site.clock.now_ms()
    with site.catalog.write() as conn:
        gap = Gap(site.gate, StreamRole.MAIN, now - 9000, None, GapCause.CAMERA_LOST, "")
        gaps.open_gap(conn, now, gap)
    answer = site.client("admin").get(f"/api/v1/timeline?camera={site.yard}&camera={site.gate}&{DAY}").json()
    assert [lane["camera"] for lane in answer["lanes"]] == [site.yard, site.gate]
    gate = answer["lanes"][1]
    assert gate["gaps"][0]["cause"] == "camera_lost"
    assert gate["gaps"][0]["end"] is None
    assert gate["gaps"][0]["words"].endswith(".")
    assert [event["id"] for event in gate["events"]] == [site.gate_event]


def test_the_timeline_refuses_as_a_whole(site: Any) -> None:
    """One camera that may not be seen among those asked: nothing is told of any."""
    viewer = site.client("viewer")
    assert viewer.get(f"/api/v1/timeline?camera={site.gate}&{DAY}").status_code == 200
    answer = viewer.get(f"/api/v1/timeline?camera={site.gate}&camera={site.yard}&{DAY}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")
    admin = site.client("admin")
    assert admin.get(f"/api/v1/timeline?camera=999&{DAY}").json()["error"]["code"] == "camera_not_found"
    assert admin.get(f"/api/v1/timeline?{DAY}").status_code == 422
    backwards = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
    assert admin.get(f"/api/v1/timeline?camera=1&{backwards}").json()["error"]["code"] == "bad_range"


def test_looks_are_listed_newest_first_in_pages(site: Any) -> None:
    """With names of people as they were."""
    admin = site.client("admin")
    for number in range(5):
        admin.post("/api/v1/cameras/test", json={"url": f"rtsp://192.0.2.9/{number}"})
    first = admin.get("/api/v1/looks?limit=3").json()
    rest = admin.get(f"/api/v1/looks?limit=3&before={first['next']}").json()
    numbers = [look["what"][-1] for look in first["looks"] + rest["looks"]]
    assert numbers == ["4", "3", "2", "1", "0"]
    assert rest["next"] is None


def test_the_site_is_renamed_by_an_administrator(site: Any) -> None:
    """With a real zone."""
    admin = site.client("admin")
    new = {"name": "Pier", "time_zone": "America/Lima"}
    assert admin.put("/api/v1/site", json=new).json() == new
    assert site.client("viewer").get("/api/v1/site").json() == new
    refused = admin.put("/api/v1/site", json={"name": "Pier", "time_zone": "Mars/Base"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_time_zone")
