"""Cameras over the API: rights, settings, states, trials, and passwords that never come back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from beholden.catalog import cameras, journal
from beholden.web.stats import Snapshot
from beholden.web.trial import Tried

CANARY = "canary-Pa55word"


def live_row(camera: int, now: int, **more: Any) -> dict[str, Any]:
    """A stream's row as a recorder sends it."""
    return {
        "camera": camera, "stream": "main", "state": "live", "reason": "", "next_step": "",
        "since_ms": now - 60_000, "last_fragment_ms": now - 700,
        "codec": "h264", "width": 1920, "height": 1080, "fps": 25.0, "kbps": 3000,
        "gop_seconds": 2.0, "lost_packets": 0, "reconnects": 0, "clock_offset_ms": 12, **more,
    }  # fmt: skip


def facts(journal_kind: str, site: Any) -> list[dict[str, Any]]:
    """Bodies of the journal's entries of one kind."""
    with site.catalog.read() as conn:
        return [entry.body for entry in journal.entries(conn) if entry.kind == journal_kind]


def test_a_viewer_sees_only_their_cameras(site: Any) -> None:
    """The list and single cameras alike."""
    viewer = site.client("viewer")
    assert [camera["name"] for camera in viewer.get("/api/v1/cameras").json()["cameras"]] == ["gate"]
    assert viewer.get(f"/api/v1/cameras/{site.gate}").status_code == 200
    assert viewer.get(f"/api/v1/cameras/{site.yard}").status_code == 403
    assert len(site.client("admin").get("/api/v1/cameras").json()["cameras"]) == 2


def test_user_information_in_a_url_is_split_off_and_never_comes_back(site: Any) -> None:
    """Whatever is asked afterwards, the password is in no answer."""
    admin = site.client("admin")
    body = {"name": "dock", "url": f"rtsp://me:{CANARY}@192.0.2.9:554/a?channel=1"}
    answer = admin.post("/api/v1/cameras", json=body)
    assert answer.status_code == 201
    assert answer.json()["main"] == {
        "url": "rtsp://192.0.2.9:554/a?channel=1", "username": "me", "has_password": True,
    }  # fmt: skip
    number = answer.json()["id"]
    admin.patch(
        f"/api/v1/cameras/{number}", json={"password": CANARY, "url": f"rtsp://x:{CANARY}@192.0.2.9/b"}
    )
    for path in ("cameras", f"cameras/{number}", "health", "events", "looks", "sessions", "openapi.json"):
        assert CANARY not in admin.get(f"/api/v1/{path}").text
    with site.catalog.read() as conn:
        assert CANARY not in json.dumps([entry.body for entry in journal.entries(conn)])
        assert cameras.get(conn, site.box, number).main.password == CANARY


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x", "url": "http://192.0.2.9/"}, 422, "bad_url"),
        ({"name": "x", "url": "file:///etc/passwd"}, 422, "bad_url"),
        ({"name": "x", "url": "exec:id"}, 422, "bad_url"),
        ({"name": "x", "url": "rtsp://"}, 422, "bad_url"),
        ({"name": "x", "url": "rtsp://h:99999/"}, 422, "bad_url"),
        ({"name": "gate", "url": "rtsp://192.0.2.9/"}, 409, "name_taken"),
        ({"name": " ", "url": "rtsp://192.0.2.9/"}, 422, "bad_name"),
        ({"name": "x"}, 422, "bad_request"),
        ({"name": "x", "url": "rtsp://h/", "keep_days": 0}, 422, "bad_request"),
        ({"name": "x", "url": "rtsp://h/", "keep_days": 1e9}, 422, "bad_request"),
        ({"name": "x", "url": "rtsp://h/", "analyse": "faces"}, 422, "bad_request"),
        ({"name": "x", "url": "rtsp://h/", "ffmpeg_args": "-i"}, 422, "bad_request"),
        ({"name": "x", "url": "rtsp://h/", "password": {"a": CANARY}}, 422, "bad_request"),
    ],
)
def test_a_bad_camera_is_refused_in_words(site: Any, body: dict[str, Any], status: int, code: str) -> None:
    """With the field or the reason, and nothing added."""
    answer = site.client("admin").post("/api/v1/cameras", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"].endswith(".")
    assert CANARY not in answer.text
    assert len(site.client("admin").get("/api/v1/cameras").json()["cameras"]) == 2


def test_a_change_touches_what_is_named_and_nothing_else(site: Any) -> None:
    """Absent fields stay, null removes the sub stream, and the journal says who."""
    admin = site.client("admin")
    path = f"/api/v1/cameras/{site.gate}"
    before = admin.get(path).json()
    after = admin.patch(path, json={"name": "Gate 1", "sub_url": None, "keep_days": 3}).json()
    assert after == {**before, "name": "Gate 1", "sub": None, "keep_days": 3.0}
    assert facts("camera_changed", site)[-1]["by"] == "admin"
    assert admin.patch(path, json={}).json() == after
    assert admin.patch(path, json={"enabled": False}).json()["state"]["state"] == "stopped"


@pytest.mark.parametrize("footage", ["keep", "delete"])
def test_removing_keeps_or_ends_the_footage_and_says_who(site: Any, footage: str) -> None:
    """With ``delete`` nothing is to be kept any longer, which retention carries out; both are journalled."""
    admin = site.client("admin")
    path = f"/api/v1/cameras/{site.gate}"
    assert admin.delete(f"{path}?footage={footage}").status_code == 204
    assert admin.get(path).status_code == 404
    assert admin.delete(path).json()["error"]["code"] == "camera_not_found"
    with site.catalog.read() as conn:
        kept = cameras.keep_days(conn)[site.gate]
    assert kept == (14.0 if footage == "keep" else 0.0)
    assert facts("camera_removed", site) == [{"name": "gate", "footage": footage, "by": "admin"}]


def test_states_come_from_the_recorder(site: Any) -> None:
    """What its stats say, with the age of the last fragment."""
    now = site.clock.now_ms()
    row = live_row(site.gate, now)
    site.stats.snapshot = Snapshot({(site.gate, "main"): row}, {0: {}})
    shown = {
        camera["name"]: camera for camera in site.client("admin").get("/api/v1/cameras").json()["cameras"]
    }
    assert shown["gate"]["state"]["state"] == "live"
    assert shown["gate"]["state"]["fragment_age_seconds"] == 0.7
    assert shown["gate"]["streams"]["main"]["codec"] == "h264"
    assert shown["gate"]["streams"]["sub"] is None
    assert shown["yard"]["state"]["state"] == "connecting"


def test_a_silent_recorder_is_told_on_each_camera(site: Any) -> None:
    """With what happens next."""
    camera = site.client("admin").get(f"/api/v1/cameras/{site.gate}").json()
    assert camera["state"]["state"] == "stopped"
    assert "recorder" in camera["state"]["reason"]
    assert camera["state"]["next_step"]


def test_a_trial_of_an_address_uses_the_login_given(site: Any) -> None:
    """And is a look, since a picture is seen."""
    site.trial.answer = Tried(
        "usable", "It works.", "Set GOP to 2 s.", {"codec": "h265"}, (("warning", "x"),), b"jpg"
    )
    admin = site.client("admin")
    body = {"url": f"rtsp://192.0.2.77/{'a' * 3}", "username": "me", "password": CANARY}
    told = admin.post("/api/v1/cameras/test", json=body).json()
    assert told["verdict"] == "usable"
    assert told["remarks"] == [{"level": "warning", "text": "x"}]
    assert base64.b64decode(told["still"].removeprefix("data:image/jpeg;base64,")) == b"jpg"
    assert site.trial.asked[0].password == CANARY
    look = admin.get("/api/v1/looks").json()["looks"][0]
    assert (look["camera"], look["what"], look["user"]) == (None, "test of rtsp://192.0.2.77/aaa", "admin")


def test_a_trial_of_a_stored_camera_uses_its_own_login(site: Any) -> None:
    """Nobody has to type a stored password again, and nobody sees it."""
    admin = site.client("admin")
    told = admin.post("/api/v1/cameras/test", json={"camera": site.gate, "stream": "sub"})
    assert told.status_code == 200
    asked = site.trial.asked[0]
    assert (asked.url, asked.username, asked.password) == ("rtsp://192.0.2.7/gate/sub", "op", CANARY)
    assert CANARY not in told.text
    assert admin.get("/api/v1/looks").json()["looks"][0]["camera"] == site.gate


def test_a_trial_of_a_stored_camera_takes_what_is_about_to_be_set(site: Any) -> None:
    """Another transport and certificate are tried with the stored password, and nothing is stored."""
    admin = site.client("admin")
    before = admin.get(f"/api/v1/cameras/{site.gate}").json()
    body = {"camera": site.gate, "transport": "udp", "certificate": "sha256:" + "AB:" * 31 + "AB"}
    assert admin.post("/api/v1/cameras/test", json=body).status_code == 200
    (asked,) = site.trial.asked
    assert (asked.transport, asked.certificate) == ("udp", "sha256:" + "ab" * 32)
    after = admin.get(f"/api/v1/cameras/{site.gate}").json()
    assert (after["transport"], after["certificate"]) == (before["transport"], before["certificate"])


def test_a_bad_address_is_an_answer_and_a_missing_camera_an_error(site: Any) -> None:
    """Never an HTTP error for a bad camera."""
    admin = site.client("admin")
    told = admin.post("/api/v1/cameras/test", json={"url": "http://192.0.2.7/video.mjpg"})
    assert (told.status_code, told.json()["verdict"]) == (200, "bad")
    assert told.json()["next_step"]
    assert admin.post("/api/v1/cameras/test", json={"camera": 999}).status_code == 404
    assert admin.post("/api/v1/cameras/test", json={}).status_code == 422
    assert admin.post("/api/v1/cameras/test", json={"url": "rtsp://h/", "camera": 1}).status_code == 422
    assert site.trial.asked == []
