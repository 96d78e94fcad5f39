"""docs/reference/api.md lists every route of the app, and the app has every route it lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"


def plain(path: str) -> str:
    """A path with every parameter as ``{}``."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def of_app(site: Any) -> set[tuple[str, str]]:
    """(method, path) of every HTTP route, and ("WS", path) of every socket."""
    found = set()
    for path, operations in site.app.openapi()["paths"].items():
        found |= {(method.upper(), plain(path)) for method in operations}
    for route in flat(site.app.routes):
        if isinstance(route, WebSocketRoute):
            found.add(("WS", plain(route.path)))
        elif isinstance(route, Route) and not isinstance(route, APIRoute):
            found |= {(method, plain(route.path)) for method in (route.methods or ()) if method != "HEAD"}
    return found


def flat(routes: list[BaseRoute]) -> list[BaseRoute]:
    """Routes, those inside mounts too."""
    found: list[BaseRoute] = []
    for route in routes:
        found += flat(route.routes) if isinstance(route, Mount) else [route]
    return found


def of_page() -> set[tuple[str, str]]:
    """What the page lists."""
    text = PAGE.read_text(encoding="utf-8")
    found = set()
    for match in re.finditer(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s(]+)", text):
        found.add((match[1], plain(match[2])))
    for match in re.finditer(r"^\* `(/ws/[^`?]+)", text, re.MULTILINE):
        found.add(("WS", plain(match[1])))
    return found


def test_every_route_is_in_the_reference(site: Any) -> None:
    """A route nobody wrote down is a surprise."""
    assert of_app(site) - of_page() == set()


def test_every_route_in_the_reference_exists(site: Any) -> None:
    """The page promises nothing that is not there."""
    assert of_page() - of_app(site) == set()
