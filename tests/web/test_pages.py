"""The pages: built files as they are, compressed beforehand, nothing else of the disk."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from beholden.web.spa import Pages

INDEX = "<!doctype html><title>Beholden</title>"


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Pages of a small built UI, with a secret beside it."""
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text(INDEX)
    (static / "favicon.svg").write_text("<svg/>")
    script = static / "assets" / "index-Ab12.js"
    script.write_text("console.log(1)")
    script.with_name("index-Ab12.js.br").write_bytes(b"brotli")
    script.with_name("index-Ab12.js.gz").write_bytes(gzip.compress(b"console.log(1)"))
    script.with_name("index-Ab12.js.map").write_text("{}")
    (tmp_path / "secret.key").write_text("secret")
    return TestClient(Pages(static), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    "path", ["/", "/cameras", "/cameras/3", "/playback?camera=1", "/sign-in", "/no/such/page"]
)
def test_every_address_of_the_app_is_the_index(client: Any, path: str) -> None:
    """And is asked for again each time, so that a new version is seen."""
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_assets_with_a_hash_in_their_name_are_kept_for_ever(client: Any) -> None:
    """Their name changes with their content."""
    answer = client.get("/assets/index-Ab12.js")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("identity", None),
        ("", None),
        ("deflate", None),
        ("GZIP;q=1", None),
    ],
)
def test_compressed_forms_are_used_where_they_are_understood(
    client: Any, accepted: str, encoding: str | None
) -> None:
    """Brotli first; the cache is told that it matters."""
    with client.stream("GET", "/assets/index-Ab12.js", headers={"Accept-Encoding": accepted}) as answer:
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    ["/assets/gone-Zz99.js", "/assets/index-Ab12.js.map", "/assets/", "/robots.txt", "/../secret.key",
     "/assets/../../secret.key", "/..%2fsecret.key", "/%2e%2e/secret.key", "/secret.key",
     "/assets/index-Ab12.js%00"],
)  # fmt: skip
def test_what_is_not_a_built_file_is_not_there(client: Any, path: str) -> None:
    """A missing script is 404, not a page; no path reaches the disk."""
    answer = client.get(path)
    assert answer.status_code == 404 or answer.text == INDEX
    assert "secret" not in answer.text
    if path.startswith("/assets/"):
        assert answer.status_code == 404


def test_pages_are_only_read(client: Any) -> None:
    """HEAD without a body; nothing else."""
    assert client.head("/").content == b""
    assert client.post("/").status_code == 404


def test_without_a_built_ui_a_plain_page_says_how_to_build_it(tmp_path: Path) -> None:
    """Not an error, and not an empty window."""
    answer = TestClient(Pages(tmp_path / "none"), base_url="http://127.0.0.1").get("/cameras")
    assert answer.status_code == 200
    assert "npm run build" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/media/nothing", "/ws/nothing", "/api", "/media"])
def test_reserved_paths_are_never_a_page(site: Any, path: str) -> None:
    """Signed in, what is not there is 404 as JSON."""
    answer = site.client("admin").get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
