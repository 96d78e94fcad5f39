"""The session API: cookies, revocation, own sessions, own password, pace."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from beholden.access.links import make_link
from beholden.catalog import users

ADMIN = {"username": "admin", "password": "correct horse battery"}


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Any) -> None:
    """HttpOnly, SameSite=Lax, host-only, for the whole site."""
    cookie = site.client().post("/api/v1/session", json=ADMIN).headers["set-cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert cookie.startswith("sid=")
    assert {"httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert "secure" not in parts


def test_over_tls_the_cookie_is_bound_to_the_host(site: Any) -> None:
    """``__Host-`` and Secure; the plain name is not even read there."""
    client = TestClient(site.app, base_url="https://127.0.0.1:8484")
    answer = client.post("/api/v1/session", json=ADMIN)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-sid=")
    assert "secure" in cookie.lower()
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    token = cookie.split("=", 1)[1].split(";")[0]
    fresh = TestClient(site.app, base_url="https://127.0.0.1:8484")
    assert fresh.get("/api/v1/cameras", headers={"Cookie": f"sid={token}"}).status_code == 401
    assert fresh.get("/api/v1/cameras", headers={"Cookie": f"__Host-sid={token}"}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"username": "admin", "password": "wrong horse battery"},
        {"username": "nobody", "password": "correct horse battery"},
        {"username": "admin"},
        {"password": "correct horse battery"},
        {"token": "invented"},
        {},
    ],
)
def test_refusals_set_no_cookie(site: Any, body: dict[str, str]) -> None:
    """401 with a sentence, and the same one for a wrong name and a wrong password."""
    answer = site.client().post("/api/v1/session", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "sign_in_refused")
    assert "set-cookie" not in answer.headers
    assert answer.json()["error"]["next_step"]


def test_a_link_signs_in_once_and_asks_for_a_password(site: Any) -> None:
    """The first administrator's way in."""
    with site.catalog.write() as conn:
        conn.exec_driver_sql("UPDATE user_account SET password_hash = NULL WHERE name = 'admin'")
    token = make_link(site.catalog, site.admin, 60, site.clock)
    client = site.client()
    user = client.post("/api/v1/session", json={"token": token}).json()["user"]
    assert (user["name"], user["must_set_password"]) == ("admin", True)
    assert client.get("/api/v1/session").json()["site"] == {"name": "Harbour", "time_zone": "Europe/Oslo"}
    assert client.put("/api/v1/password", json={"new": "a much better password"}).status_code == 204
    assert client.get("/api/v1/session").json()["user"]["must_set_password"] is False
    assert site.client().post("/api/v1/session", json={"token": token}).status_code == 401


def test_signing_out_ends_the_session_on_the_server(site: Any) -> None:
    """A copy of the cookie is worth nothing afterwards."""
    client = site.client("admin")
    token = client.cookies["sid"]
    answer = client.delete("/api/v1/session")
    assert answer.status_code == 204
    assert 'sid=""' in answer.headers["set-cookie"]
    copy = site.client().get("/api/v1/cameras", headers={"Cookie": f"sid={token}"})
    assert copy.status_code == 401


def test_own_sessions_are_listed_and_revoked_at_once(site: Any) -> None:
    """One browser ends another; the other's next request is refused. Nobody sees anybody else's."""
    here, there, viewer = site.client("admin"), site.client("admin"), site.client("viewer")
    sessions = here.get("/api/v1/sessions").json()["sessions"]
    assert [session["current"] for session in sessions].count(True) == 1
    assert len(sessions) == 2
    other = next(session["id"] for session in sessions if not session["current"])
    assert viewer.delete(f"/api/v1/sessions/{other}").json()["error"]["code"] == "session_not_found"
    assert there.get("/api/v1/cameras").status_code == 200
    assert here.delete(f"/api/v1/sessions/{other}").status_code == 204
    assert there.get("/api/v1/cameras").status_code == 401
    assert here.get("/api/v1/cameras").status_code == 200


def test_a_new_password_ends_the_other_sessions(site: Any) -> None:
    """The class of CVE-2026-33124: an old token must not outlive a new password."""
    here, there = site.client("admin"), site.client("admin")
    wrong = here.put("/api/v1/password", json={"current": "nope nope nope", "new": "a much better password"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "wrong_password")
    weak = here.put("/api/v1/password", json={"current": ADMIN["password"], "new": "short"})
    assert (weak.status_code, weak.json()["error"]["code"]) == (422, "bad_password")
    good = here.put("/api/v1/password", json={"current": ADMIN["password"], "new": "a much better password"})
    assert good.status_code == 204
    assert there.get("/api/v1/cameras").status_code == 401
    assert here.get("/api/v1/cameras").status_code == 200


@pytest.mark.parametrize("way", ["revoked", "disabled"])
def test_an_open_socket_ends_with_its_session(site: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within seconds, with 4401, though its handler waits for something else."""
    monkeypatch.setattr("beholden.web.gate.RECHECK_SECONDS", 0.05)
    with site.client("viewer") as client, site.socket(client, "/ws/events") as socket:
        assert socket.receive_json()["kind"] == "health"
        if way == "revoked":
            client.delete("/api/v1/session")
        else:
            with site.catalog.write() as conn:
                users.set_disabled(conn, site.viewer, True)
        with pytest.raises(WebSocketDisconnect) as closed:
            collect(socket)
        assert closed.value.code == 4401


def collect(socket: Any) -> None:
    """Read on until the socket is closed; the test's own time limit ends one that never is."""
    while True:
        socket.receive_json()


def test_guessing_is_slowed_with_a_hint_when_to_come_back(site: Any) -> None:
    """429 and Retry-After; after the wait a right password is right."""
    client, last = site.client(), None
    for _ in range(12):
        last = client.post("/api/v1/session", json={"username": "admin", "password": "wrong horse battery"})
    assert last is not None
    assert (last.status_code, last.json()["error"]["code"]) == (429, "too_many_attempts")
    wait = int(last.headers["retry-after"])
    assert wait >= 1
    site.clock.advance(wait)
    assert client.post("/api/v1/session", json=ADMIN).status_code == 200
