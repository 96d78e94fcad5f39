"""Other sites' pages: refused whatever cookie they bring."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from beholden.web.address import PublicAddress, host_name, same_origin

HOME = "http://127.0.0.1:8484"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": HOME}, 200),
        ({"Origin": HOME}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "anything"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example:8484"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "file://"}, 403),
    ],
)
def test_unsafe_methods(site: Any, headers: dict[str, str], status: int) -> None:
    """With a good cookie: only the site's own pages, and scripts that say nothing, change anything."""
    admin = site.client("admin")
    body = {"name": "Changed", "time_zone": "UTC"}
    answer = admin.put("/api/v1/site", json=body, headers=headers)
    assert answer.status_code == status
    name = admin.get("/api/v1/site").json()["name"]
    assert name == ("Changed" if status == 200 else "Harbour")


@pytest.mark.parametrize("site_header", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/api/v1/cameras", "/media/events/1/still.jpg", "/healthz"])
def test_reading_from_another_site_is_refused_too(site: Any, path: str, site_header: str) -> None:
    """Looking at footage is recorded, so a foreign page may not make somebody look."""
    answer = site.client("admin").get(path, headers={"Sec-Fetch-Site": site_header})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "cross_site"


def test_a_link_from_elsewhere_opens_the_page(site: Any) -> None:
    """Following a link to the site is no attack: pages hold no data."""
    answer = site.client().get(
        "/cameras", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        None,
    ],
)
def test_only_json_is_heard(site: Any, kind: str | None) -> None:
    """Forms of other sites can send everything but JSON without asking first."""
    headers = {"Content-Type": kind} if kind else {}
    body = b'{"name": "Changed", "time_zone": "UTC"}'
    answer = site.client("admin").request("PUT", "/api/v1/site", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_json")


def test_signing_in_is_protected_as_well(site: Any) -> None:
    """Else a foreign page could sign somebody in as itself and see what they then do."""
    body = {"username": "admin", "password": "correct horse battery"}
    answer = site.client().post("/api/v1/session", json=body, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "https://evil.example"]
)
def test_sockets_of_other_sites_are_refused_before_the_handshake(site: Any, origin: str) -> None:
    """Browsers do not guard WebSockets; the server has to."""
    admin = site.client("admin")
    with pytest.raises(WebSocketDisconnect) as refused, site.socket(admin, "/ws/events", origin=origin):
        pass
    assert refused.value.code == 1008


def test_a_socket_of_the_sites_own_page_opens(site: Any) -> None:
    """With the Origin browsers send."""
    with site.client("admin") as admin, site.socket(admin, "/ws/events", origin=HOME) as socket:
        assert socket.receive_json()["kind"] == "health"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8484",
        "",
        "[::1",
        "a@b",
        "localhost.evil.example",
    ],
)
def test_a_foreign_host_name_is_refused(site: Any, host: str) -> None:
    """DNS rebinding: a page of a domain that resolves to this machine is not this site."""
    for path in ("/", "/api/v1/session", "/healthz"):
        answer = site.client("admin").get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "wrong_host")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:8484", "[::1]:8484", "192.168.1.10:8484", "nvr.localhost"]
)
def test_addresses_and_localhost_are_always_ours(site: Any, host: str) -> None:
    """A page cannot be rebound to a bare address."""
    assert site.client().get("/healthz", headers={"Host": host}).status_code == 200


def test_the_public_name_is_ours_and_makes_cookies_secure() -> None:
    """A proxy in front that speaks TLS is declared by public_url, not by a header."""
    address = PublicAddress.of("https://nvr.example:8443/")
    assert address.is_ours("nvr.example:8443")
    assert address.is_ours("NVR.example")
    assert not address.is_ours("other.example")
    headers = [(b"host", b"nvr.example")]
    assert address.is_secure({"type": "http", "scheme": "http", "headers": headers})
    spoofed = [(b"host", b"127.0.0.1"), (b"x-forwarded-proto", b"https")]
    assert not address.is_secure({"type": "http", "scheme": "http", "headers": spoofed})


@given(st.text(max_size=60), st.text(max_size=60))
def test_origins_are_compared_without_surprises(origin: str, host: str) -> None:
    """Whatever is sent, the answer is a plain yes or no, and an empty host has no origin."""
    assert same_origin(origin, host) in (True, False)
    assert not same_origin(origin, "")
    assert host_name(host) is None or isinstance(host_name(host), str)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ],
)
def test_security_headers_are_on_every_answer(site: Any, name: str, value: str) -> None:
    """Pages, data, refusals and mistakes alike."""
    client = site.client("admin")
    for path in ("/", "/assets/none.js", "/api/v1/cameras", "/api/v1/nothing", "/healthz"):
        assert client.get(path).headers[name] == value
    assert client.get("/", headers={"Host": "evil.example"}).headers[name] == value


def test_the_content_security_policy_allows_no_foreign_and_no_inline_script(site: Any) -> None:
    """Nothing from elsewhere, no frame, no base, no plug-in; footage is never cached by others."""
    answer = site.client("admin").get("/api/v1/cameras")
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'self'"
    assert "script-src" not in rules
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["object-src"] == "'none'"
    assert "*" not in policy
    assert "http" not in policy
    assert "no-store" in answer.headers["cache-control"]
