"""Holds over the API: an administrator's, with who and why, until released."""

from __future__ import annotations

from typing import Any

RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00+01:00"}


def test_a_hold_is_added_listed_and_released(site: Any) -> None:
    """Each act names who did it; released ones are listed only when asked for."""
    admin = site.client("admin")
    made = admin.post("/api/v1/holds", json={"camera": site.gate, **RANGE, "reason": "theft"})
    assert made.status_code == 201
    hold = made.json()
    assert (hold["camera"], hold["from"], hold["to"]) == (
        site.gate,
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T23:00:00.000Z",
    )
    assert (hold["created_by"], hold["released"]) == ("admin", None)
    assert admin.get("/api/v1/holds").json() == {"holds": [hold]}
    released = admin.post(f"/api/v1/holds/{hold['id']}/release", json={}).json()
    assert released["released_by"] == "admin"
    assert admin.get("/api/v1/holds").json() == {"holds": []}
    assert admin.get("/api/v1/holds?released=true").json() == {"holds": [released]}


def test_what_cannot_be_held_is_refused_plainly(site: Any) -> None:
    """With the status and code of the reference."""
    admin = site.client("admin")

    def refused(body: dict[str, Any]) -> tuple[int, str]:
        answer = admin.post("/api/v1/holds", json=body)
        return answer.status_code, answer.json()["error"]["code"]

    whole = {"camera": None, **RANGE, "reason": "x"}
    assert refused({**whole, "to": RANGE["from"]}) == (422, "bad_range")
    assert refused({**whole, "reason": " "}) == (422, "bad_reason")
    assert refused({**whole, "camera": 99}) == (404, "camera_not_found")
    assert refused({**whole, "more": 1}) == (422, "bad_request")
    assert refused({"camera": None, **RANGE}) == (422, "bad_request")
    assert admin.post("/api/v1/holds/7/release", json={}).json()["error"]["code"] == "hold_not_found"
    made = admin.post("/api/v1/holds", json=whole).json()
    admin.post(f"/api/v1/holds/{made['id']}/release", json={})
    again = admin.post(f"/api/v1/holds/{made['id']}/release", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "hold_released")


def test_a_viewer_neither_sees_nor_makes_holds(site: Any) -> None:
    """Nor releases one, whatever may be seen."""
    number = (
        site.client("admin").post("/api/v1/holds", json={"camera": None, **RANGE, "reason": "x"}).json()["id"]
    )
    viewer = site.client("viewer")
    for method, path, body in (
        ("GET", "/api/v1/holds", None),
        ("POST", "/api/v1/holds", {"camera": site.gate, **RANGE, "reason": "x"}),
        ("POST", f"/api/v1/holds/{number}/release", {}),
    ):
        answer = viewer.request(method, path, json=body) if body is not None else viewer.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted"), path
