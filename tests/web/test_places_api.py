"""Places and rules over the API: drawn, checked, versioned, journalled, and for administrators alone."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.catalog import journal

SQUARE = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]


def draw(admin: Any, camera: int, kind: str = "zone", name: str = "Drive", points: Any = None) -> Any:
    """A place of a camera, as the answer has it."""
    body = {"kind": kind, "name": name, "points": points or SQUARE}
    return admin.post(f"/api/v1/cameras/{camera}/places", json=body)


def facts(site: Any, kind: str) -> list[dict[str, Any]]:
    """Bodies of the journal's facts of one kind."""
    with site.catalog.read() as conn:
        return [fact.body for fact in journal.entries(conn) if fact.kind == kind]


def test_a_place_is_drawn_redrawn_and_removed(site: Any) -> None:
    """Each step raises the revision and is journalled with who took it."""
    admin = site.client("admin")
    made = draw(admin, site.gate)
    assert made.status_code == 201
    place = made.json()
    assert (place["kind"], place["points"], place["rev"]) == ("zone", SQUARE, 1)
    moved = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]
    changed = admin.patch(f"/api/v1/places/{place['id']}", json={"points": moved, "rev": 1}).json()
    assert (changed["points"], changed["rev"], changed["name"]) == (moved, 2, "Drive")
    late = admin.patch(f"/api/v1/places/{place['id']}", json={"name": "Lane", "rev": 1})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "changed_meanwhile")
    assert site.client("viewer").get(f"/api/v1/cameras/{site.gate}/places").json()["places"] == [changed]
    assert admin.delete(f"/api/v1/places/{place['id']}").status_code == 204
    assert admin.get(f"/api/v1/cameras/{site.gate}/places").json() == {"places": [], "ground": None}
    assert facts(site, "place_changed")[0]["by"] == "admin"
    assert [facts(site, kind)[0]["rev"] for kind in ("place_added", "place_changed")] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "points", "code"),
    [
        ("zone", [[0.2, 0.2], [1.2, 0.2], [0.8, 0.8]], "place_outside"),
        ("zone", [[20, 20], [80, 20], [80, 80]], "place_outside"),
        ("zone", [[0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]], "place_crosses_itself"),
        ("zone", [[0.2, 0.2], [0.8, 0.8]], "bad_place"),
        ("privacy", [[0.2, 0.2], [0.201, 0.2], [0.2, 0.201]], "bad_place"),
        ("line", [[0.2, 0.2]], "bad_place"),
        ("line", [[0.2, 0.2], [0.2, 0.2]], "bad_place"),
        ("circle", SQUARE, "bad_request"),
    ],
)
def test_what_cannot_be_a_place_is_refused(site: Any, kind: str, points: Any, code: str) -> None:
    """With a sentence that says what is wrong."""
    refused = draw(site.client("admin"), site.gate, kind, points=points)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)


def test_two_places_of_a_camera_have_two_names(site: Any) -> None:
    """On another camera the same name may be used."""
    admin = site.client("admin")
    assert draw(admin, site.gate).status_code == 201
    assert draw(admin, site.gate).status_code == 409
    assert draw(admin, site.yard).status_code == 201


def test_the_ground_is_measured(site: Any) -> None:
    """Four points in the picture and where they lie; nonsense is refused."""
    admin, path = site.client("admin"), f"/api/v1/cameras/{site.gate}/ground"
    body = {
        "points": [[0.3, 0.4], [0.7, 0.4], [0.9, 0.9], [0.1, 0.9]],
        "metres": [[0, 10], [5, 10], [5, 0], [0, 0]],
    }
    assert admin.put(path, json=body).json()["ground"]["rev"] == 1
    row = {**body, "points": [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.9, 0.1]]}
    assert admin.put(path, json=row).json()["error"]["code"] == "bad_ground"
    crossed = {**body, "metres": [[0, 10], [5, 0], [5, 10], [0, 0]]}
    assert admin.put(path, json=crossed).json()["error"]["code"] == "bad_ground"
    assert admin.get(f"/api/v1/cameras/{site.gate}/places").json()["ground"]["metres"] == body["metres"]
    assert admin.delete(path).status_code == 204
    assert admin.put(path, json=body).json()["ground"]["rev"] == 2


def test_a_rule_is_off_until_it_was_tested_or_somebody_says_so(site: Any) -> None:
    """A rule nobody tried is not switched on by accident."""
    admin = site.client("admin")
    zone = draw(admin, site.gate).json()["id"]
    body = {"name": "Person in the drive", "kind": "enter", "place": zone, "classes": ["person"]}
    refused = admin.post(f"/api/v1/cameras/{site.gate}/rules", json={**body, "enabled": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "rule_not_tested")
    rule = admin.post(f"/api/v1/cameras/{site.gate}/rules", json=body).json()
    assert (rule["enabled"], rule["tested"], rule["rev"]) == (False, None, 1)
    path = f"/api/v1/rules/{rule['id']}"
    assert admin.patch(path, json={"enabled": True}).json()["error"]["code"] == "rule_not_tested"
    on = admin.patch(path, json={"enabled": True, "untested": True, "severity": "alert"}).json()
    assert (on["enabled"], on["severity"], on["rev"]) == (True, "alert", 2)
    assert facts(site, "rule_changed")[0]["untested"] is True
    assert site.client("viewer").get("/api/v1/rules").json()["rules"] == [on]
    used = admin.delete(f"/api/v1/places/{zone}")
    assert (used.status_code, used.json()["error"]["code"]) == (409, "place_in_use")
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert admin.delete(f"/api/v1/places/{zone}").status_code == 204


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"kind": "cross"}, "bad_rule"),
        ({"kind": "wrong_way"}, "bad_rule"),
        ({"kind": "speed"}, "no_ground_plane"),
        ({"kind": "enter", "min_size": 0.5, "max_size": 0.1}, "bad_rule"),
        ({"kind": "enter", "schedule": [{"weekday": 0, "from_minute": 60, "to_minute": 30}]}, "bad_rule"),
        ({"kind": "enter", "classes": ["face"]}, "bad_request"),
        ({"kind": "enter", "person_name": "x"}, "bad_request"),
        ({"kind": "stopped", "classes": ["person"]}, "bad_rule"),
        ({"kind": "enter", "place": 99}, "place_not_found"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(site: Any, settings: dict[str, Any], code: str) -> None:
    """Each with what is wrong; there is no setting for who somebody is."""
    refused = site.client("admin").post(f"/api/v1/cameras/{site.gate}/rules", json={"name": "x", **settings})
    assert refused.json()["error"]["code"] == code


def test_what_a_rule_needs_stays(site: Any) -> None:
    """The measured ground under a rule about speed; a rule of a removed camera is gone from the list, and
    there is none for a camera that is not there."""
    admin, path = site.client("admin"), f"/api/v1/cameras/{site.gate}/ground"
    body = {
        "points": [[0.3, 0.4], [0.7, 0.4], [0.9, 0.9], [0.1, 0.9]],
        "metres": [[0, 10], [5, 10], [5, 0], [0, 0]],
    }
    admin.put(path, json=body)
    made = admin.post(f"/api/v1/cameras/{site.gate}/rules", json={"name": "Fast", "kind": "speed"}).json()
    refused = admin.delete(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ground_in_use")
    assert [rule["id"] for rule in admin.get("/api/v1/rules").json()["rules"]] == [made["id"]]
    assert admin.delete(f"/api/v1/cameras/{site.gate}").status_code == 204
    assert admin.get("/api/v1/rules").json() == {"rules": []}
    missing = admin.post("/api/v1/cameras/99/rules", json={"name": "x", "kind": "enter"})
    assert missing.json()["error"]["code"] == "camera_not_found"


def test_a_place_of_another_camera_is_refused(site: Any) -> None:
    """A rule and its place are of one camera."""
    admin = site.client("admin")
    zone = draw(admin, site.yard).json()["id"]
    body = {"name": "x", "kind": "enter", "place": zone}
    assert admin.post(f"/api/v1/cameras/{site.gate}/rules", json=body).json()["error"]["code"] == "bad_rule"


def test_the_site_is_armed_by_an_administrator(site: Any) -> None:
    """Seen by all, set by an administrator, journalled."""
    admin, viewer = site.client("admin"), site.client("viewer")
    assert viewer.get("/api/v1/site/mode").json() == {"mode": "home", "since": None}
    assert viewer.put("/api/v1/site/mode", json={"mode": "armed"}).status_code == 403
    assert admin.put("/api/v1/site/mode", json={"mode": "armed"}).json()["mode"] == "armed"
    assert viewer.get("/api/v1/site/mode").json()["since"] is not None
    assert facts(site, "site_mode") == [{"before": "home", "by": "admin", "mode": "armed"}]


def test_a_viewer_changes_nothing_drawn(site: Any) -> None:
    """Nor sees what is drawn on a camera that is not theirs."""
    admin, viewer = site.client("admin"), site.client("viewer")
    place = draw(admin, site.gate).json()["id"]
    assert draw(viewer, site.gate).status_code == 403
    assert viewer.delete(f"/api/v1/places/{place}").status_code == 403
    assert viewer.get(f"/api/v1/cameras/{site.yard}/places").status_code == 403
    rule = admin.post(f"/api/v1/cameras/{site.yard}/rules", json={"name": "x", "kind": "enter"}).json()
    assert viewer.get("/api/v1/rules").json() == {"rules": []}
    assert viewer.get(f"/api/v1/rules/{rule['id']}").status_code == 404
