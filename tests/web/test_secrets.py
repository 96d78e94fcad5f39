"""A canary password goes in by every way there is, and is then looked for everywhere."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

CANARY = "canary-Tr0ub4dor-and-3"
ENTRIES = [
    ("POST", "/api/v1/session", {"username": "admin", "password": CANARY}),
    ("POST", "/api/v1/session", {"username": CANARY, "password": "x"}),
    ("POST", "/api/v1/session", {"username": {"deep": CANARY}}),
    ("POST", "/api/v1/session", {"token": CANARY}),
    ("PUT", "/api/v1/password", {"current": CANARY, "new": CANARY}),
    ("PUT", "/api/v1/password", {"new": [CANARY]}),
    ("POST", "/api/v1/cameras", {"name": "a", "url": f"rtsp://u:{CANARY}@192.0.2.1/"}),
    ("POST", "/api/v1/cameras", {"name": "b", "url": f"http://u:{CANARY}@192.0.2.1/"}),
    ("POST", "/api/v1/cameras", {"name": "c", "url": f"rtsp://u:{CANARY}@"}),
    ("POST", "/api/v1/cameras", {"name": "d", "url": f"rtsp://u:{CANARY}@h:bad/"}),
    ("POST", "/api/v1/cameras", {"name": "e", "url": "rtsp://192.0.2.1/", "password": CANARY}),
    ("POST", "/api/v1/cameras", {"name": "f", "url": "rtsp://192.0.2.1/", "password": [CANARY]}),
    ("POST", "/api/v1/cameras", {"name": "g", "url": "rtsp://192.0.2.1/", CANARY: 1, "password": CANARY}),
    ("PATCH", "/api/v1/cameras/1", {"password": CANARY, "keep_days": -1}),
    ("PATCH", "/api/v1/cameras/1", {"password": CANARY}),
    ("POST", "/api/v1/cameras/test", {"url": f"rtsp://u:{CANARY}@192.0.2.1/"}),
    ("POST", "/api/v1/cameras/test", {"url": f"ftp://u:{CANARY}@192.0.2.1/"}),
    ("POST", "/api/v1/cameras/test", {"url": "rtsp://192.0.2.1/", "password": CANARY}),
]
READS = ("cameras", "cameras/1", "health", "events", "looks", "session", "sessions", "site", "openapi.json")


def test_a_password_is_in_no_answer_and_no_log(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The class of GHSA-c4qf-xxq4-vf55: neither structured nor plain logs, nor any answer, repeat one.

    A field's name is repeated when it is unknown; that is the sender's own word, and never a value.
    """
    caplog.set_level(logging.DEBUG)
    admin = site.client("admin")
    with capture_logs() as logs:
        for method, path, body in ENTRIES:
            site.clock.advance(400)
            answer = admin.request(method, path, json=body)
            assert answer.status_code < 500
            if CANARY not in body:
                assert CANARY not in answer.text, (method, path)
        for path in READS:
            assert CANARY not in admin.get(f"/api/v1/{path}").text
    assert logs
    assert CANARY not in json.dumps(logs, default=repr)
    assert CANARY not in caplog.text


def test_an_unforeseen_failure_tells_no_secret(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect while a password is in hand: one plain sentence outside, and no value of it in the log."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("beholden.catalog.cameras.add", fail)
    admin = site.client("admin")
    logged: list[str] = []
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[lambda *a: logged.append(renderer(*a)) or ""])
    try:
        body = {"name": "a", "url": f"rtsp://u:{CANARY}@192.0.2.1/", "password": CANARY}
        answer = admin.post("/api/v1/cameras", json=body)
    finally:
        structlog.reset_defaults()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "defect" not in answer.text
    assert "Traceback" not in answer.text
    assert any("a defect" in line for line in logged)
    assert CANARY not in "".join(logged)


def test_tokens_of_sessions_and_links_are_not_logged(site: Any) -> None:
    """Who reads the log cannot become somebody."""
    with capture_logs() as logs:
        client = site.client("admin")
    assert logs
    assert client.cookies["sid"] not in json.dumps(logs, default=repr)
