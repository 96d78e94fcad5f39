"""Every address of the real app: nothing to a stranger, nothing of a camera to one without the right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from beholden.web.gate import OPEN
from beholden.web.same_origin import is_reserved

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
BODIES: dict[str, Any] = {
    "json": {"ids": [1], "reviewed": True, "new": "x" * 20, "name": "x", "url": "rtsp://x"}
}


def all_routes(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """Every route, those inside included routers too."""
    for route in routes:
        inner = getattr(route, "routes", None)
        if inner:
            yield from all_routes(inner)
        else:
            yield route


def paths(app: Starlette, numbers: int) -> set[str]:
    """The path of every HTTP route with all its parameters set to a number."""
    return {filled(path, numbers) for path in http_paths(app)}


def http_paths(app: Starlette) -> set[str]:
    """The path template of every HTTP route."""
    templates = {route.path for route in all_routes(app.routes) if isinstance(route, Route | APIRoute)}
    openapi = getattr(app, "openapi", None)
    return templates | (set(openapi()["paths"]) if openapi else set())


def socket_paths(app: Starlette) -> set[str]:
    """The path template of every WebSocket route."""
    return {route.path for route in all_routes(app.routes) if isinstance(route, WebSocketRoute)}


def filled(path: str, number: int) -> str:
    """A template with its parameters filled in."""
    path = path.replace("{stream}", "main").replace("{name}", "1795472104250-0")
    return re.sub(r"\{[^}]*\}", str(number), path)


def request(client: Any, method: str, path: str) -> Any:
    """One request, with a body where there can be one."""
    body = BODIES if method in ("POST", "PUT", "PATCH") else {}
    return client.request(method, path, **body)


def test_the_walk_sees_the_routes(site: Any) -> None:
    """The next tests would prove nothing if they found no routes."""
    found = http_paths(site.app) | socket_paths(site.app)
    for known in (
        "/api/v1/session",
        "/api/v1/cameras/{camera_id}",
        "/api/v1/looks",
        "/ws/events",
        "/healthz",
    ):
        assert known in found
    assert any(path.startswith("/media/segments/") for path in found)
    assert any(path.startswith("/ws/live/") for path in found)


def test_a_stranger_gets_nothing_from_any_route(site: Any) -> None:
    """Every route, every method: 401 and not a word of data, but for the four open ones."""
    stranger = site.client()
    for path in sorted(paths(site.app, site.gate)):
        for method in METHODS:
            if (method, path) in OPEN:
                continue
            answer = request(stranger, method, path)
            # Methods nobody uses are refused even earlier, for their body is not JSON.
            expected = (401, 415) if method in ("TRACE", "PROPFIND") else (401,)
            assert answer.status_code in expected, (method, path, answer.status_code)
            if method != "HEAD":
                assert set(answer.json()) == {"error"}, (method, path)


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "\"'; DROP TABLE session", "../../secret.key"])
def test_an_invented_cookie_is_a_strangers(site: Any, cookie: str) -> None:
    """Neither cookie name opens anything with a value nobody gave out."""
    for name in ("sid", "__Host-sid"):
        answer = site.client().get("/api/v1/cameras", headers={"Cookie": f"{name}={cookie}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "admin"},
        {"X-Real-IP": "127.0.0.1", "X-Forwarded-Proto": "https"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer admin"},
        {"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"},
        {"X-HTTP-Method-Override": "GET"},
    ],
)
def test_no_header_opens_anything(site: Any, headers: dict[str, str]) -> None:
    """The classes of CVE-2021-33044 and CVE-2024-8956: what a client says of itself changes nothing."""
    assert site.client().get("/api/v1/cameras", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/session/", "/api/v1/session/../cameras", "/api/v1//cameras", "/api/v1/cameras/", "/api/v1",
        "/api/v1/session%2f..%2fcameras", "/media/", "/media/../catalog.db", "/media/segments/1/main/x.mp4",
        "/api/v1/openapi.json", "/ws/events", "/healthz/x", "/%61pi/v1/cameras",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_opens_anything(site: Any, path: str) -> None:
    """Slashes, dots and escapes: denied before anything is looked up."""
    answer = site.client().get(path)
    assert answer.status_code in (401, 404), (path, answer.status_code)
    assert "cameras" not in answer.text or "error" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/openapi.json", "/catalog.db", "/secret.key", "/../secret.key", "/.env", "/run"],
)
def test_outside_the_reserved_paths_there_are_only_pages(site: Any, path: str) -> None:
    """No documentation site, no file of the data directory: the page, or nothing."""
    answer = site.client().get(path)
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        assert answer.headers["content-type"].startswith("text/html")
    assert site.box is not None
    assert b"SQLite format" not in answer.content


def test_a_route_added_outside_the_reserved_paths_is_not_reachable(site: Any) -> None:
    """A mistake in a later room does not become an open door."""
    site.app.router.routes.insert(0, Route("/debug", lambda _: pytest.fail("reached")))
    for name in (None, "admin"):
        answer = site.client(name).get("/debug")
        assert answer.headers["content-type"].startswith("text/html")


def test_every_socket_tells_a_stranger_to_sign_in_and_nothing_else(site: Any) -> None:
    """Closed with 4401 before any message."""
    stranger = site.client()
    for path in [*sorted(socket_paths(site.app)), "/ws/nothing", "/elsewhere", "/api/v1/cameras"]:
        opened, refused = site.socket(stranger, filled(path, site.gate)), pytest.raises(WebSocketDisconnect)
        with opened as socket, refused as closed:
            socket.receive_json()
        assert closed.value.code == 4401, path


def test_a_viewer_without_any_right_gets_nothing_of_a_camera(site: Any) -> None:
    """Every route that names a camera or an event answers 403 or 404 for one that may not be seen."""
    viewer = site.client("viewer")
    for template in sorted(http_paths(site.app)):
        if "{" not in template or "session" in template:
            continue
        number = site.yard_event if "event" in template else site.yard
        query = "from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z&at=2026-01-01T00:00:00Z&as=copy-copy"
        for method in ("GET", "PATCH", "DELETE"):
            answer = request(viewer, method, f"{filled(template, number)}?{query}")
            assert answer.status_code in (403, 404, 405), (method, template, answer.text)


def test_a_viewer_cannot_administer(site: Any) -> None:
    """What changes the site or shows who looked is for administrators alone."""
    viewer = site.client("viewer")
    camera = {"name": "x", "url": "rtsp://192.0.2.1/"}
    for method, path, body in (
        ("POST", "/api/v1/cameras", camera),
        ("PATCH", f"/api/v1/cameras/{site.gate}", {"name": "mine"}),
        ("DELETE", f"/api/v1/cameras/{site.gate}", None),
        ("POST", "/api/v1/cameras/test", {"url": "rtsp://192.0.2.1/"}),
        ("POST", "/api/v1/cameras/test", {"camera": site.gate}),
        ("PUT", "/api/v1/site", {"name": "mine", "time_zone": "UTC"}),
        ("GET", "/api/v1/looks", None),
    ):
        answer = viewer.request(method, path, json=body) if body else viewer.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted"), (method, path)
    assert site.trial.asked == []


def test_healthz_says_one_word(site: Any) -> None:
    """To anybody, and nothing more."""
    answer = site.client().get("/healthz")
    assert answer.json() in ({"status": "ok"}, {"status": "degraded"})


def test_a_stranger_learns_nothing_from_the_session(site: Any) -> None:
    """Neither the site's name nor its version nor whether it is new."""
    assert site.client().get("/api/v1/session").json() == {"user": None}


def test_open_is_what_the_gate_says_it_is() -> None:
    """A change to the list of open routes has to change this line too."""
    assert sorted(OPEN) == [
        ("GET", "/api/v1/session"), ("GET", "/healthz"), ("HEAD", "/healthz"), ("POST", "/api/v1/session"),
    ]  # fmt: skip
    assert all(is_reserved(path) for _, path in OPEN)
