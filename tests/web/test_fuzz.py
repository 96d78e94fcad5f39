"""Whatever is sent, the answer is a plain refusal or a plain success, never a defect."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from beholden.web.spa import Pages

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40),
    st.sampled_from(["rtsp://192.0.2.1/", "rtsp://[::1", "x" * 3000, "\x00", ";$(id)|`id`\n"]),
    st.just("2026-01-01T00:00:00Z"),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)
FIELDS = (
    "username", "password", "token", "current", "new", "name", "time_zone", "url", "sub_url", "record",
    "record_audio", "keep_days", "analyse", "enabled", "camera", "stream", "ids", "until", "reviewed",
    "kind", "points", "metres", "classes", "schedule", "heading", "rule", "place", "box", "at", "from", "to",
    "other",
)  # fmt: skip
bodies = st.one_of(st.dictionaries(st.sampled_from(FIELDS), values, max_size=6), values)
CALLS = (
    ("PUT", "/api/v1/site"), ("POST", "/api/v1/cameras"), ("PATCH", "/api/v1/cameras/1"),
    ("POST", "/api/v1/cameras/test"), ("POST", "/api/v1/events/reviewed"), ("PUT", "/api/v1/password"),
    ("POST", "/api/v1/session"), ("POST", "/api/v1/cameras/1/places"), ("PUT", "/api/v1/cameras/1/ground"),
    ("POST", "/api/v1/cameras/1/rules"), ("POST", "/api/v1/backtests"), ("POST", "/api/v1/cameras/1/missed"),
)  # fmt: skip
odd_texts = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.sampled_from(["2026-01-01T00:00:00Z", "nan", "1e9", "%00", "-0"]),
)
QUERIES = ("camera", "class", "since", "until", "from", "to", "before", "limit", "reviewed", "footage")
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def http_paths(app: Any) -> list[str]:
    """The path template of every HTTP route."""
    plain = {route.path for route in app.routes if isinstance(route, Route)}
    return sorted(plain | set(app.openapi()["paths"]))


def check(answer: Any) -> None:
    """Success, or an error in the shape the reference promises."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "next_step"}
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("call", CALLS, ids=[f"{method} {path}" for method, path in CALLS])
def test_any_json_body(site: Any, call: tuple[str, str]) -> None:
    """No body makes a handler fail."""
    admin = site.client("admin")

    @SETTINGS
    @given(bodies)
    def send(body: Any) -> None:
        site.clock.advance(400)
        check(
            admin.request(
                call[0],
                call[1],
                content=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
        )

    send()


@pytest.mark.parametrize("path", ["events", "timeline", "looks", "cameras/1"])
def test_any_query(site: Any, path: str) -> None:
    """No query makes a handler fail."""
    admin = site.client("admin")

    @SETTINGS
    @given(st.lists(st.tuples(st.sampled_from(QUERIES), odd_texts), max_size=5))
    def send(query: list[tuple[str, str]]) -> None:
        check(admin.get(f"/api/v1/{path}", params=query))

    send()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 5000, b"\xff\xfe", b'{"a": NaN}', b'"\\ud800"',
     b'{"username": "\\ud800", "password": "\\udfff"}',
     b'{"name": "\\ud800", "url": "rtsp://h/"}', b'{"token": "\\ud83d"}', b"null", b'{"a":1,"a":2}'],
)  # fmt: skip
def test_broken_json(site: Any, content: bytes) -> None:
    """Cut off, nested without end, lone surrogates: refused."""
    admin = site.client("admin")
    for method, path in CALLS:
        answer = admin.request(method, path, content=content, headers={"Content-Type": "application/json"})
        check(answer)
        assert answer.status_code >= 400


def test_a_large_body_is_refused(site: Any) -> None:
    """Before it is read as JSON; with and without saying its length."""
    admin, headers = site.client("admin"), {"Content-Type": "application/json"}
    large = b'{"name": "' + b"x" * 300_000 + b'"}'
    for content in (large, iter([large])):
        answer = admin.request("PUT", "/api/v1/site", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@given(st.text(max_size=60))
def test_any_path(path: str) -> None:
    """Pages are found by exact name; a path never reaches the file system."""

    pages = Pages(Path(__file__).parent / "no-such-folder")
    assert pages._page(f"/{path}") in (None, pages._index)


@pytest.mark.parametrize("number", ["0", "9" * 15, "9" * 19, "9" * 40])
def test_numbers_of_any_length_in_any_path(site: Any, number: str) -> None:
    """No number in an address is too long for a plain answer."""
    admin = site.client("admin")
    query = (
        "from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z&at=2026-01-01T00:00:00Z&as=copy-copy&fragments=1"
    )
    for template in http_paths(site.app):
        if "{" not in template:
            continue
        path = re.sub(r"\{name[^}]*\}", f"{number}-0", template).replace("{stream}", "main")
        path = re.sub(r"\{[^}]*\}", number, path)
        for method in ("GET", "DELETE"):
            check(admin.request(method, f"{path}?{query}"))
