"""Fixtures: a site with two cameras and two people, and its web app without sockets or processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.exceptions import StarletteDeprecationWarning

from beholden.access.passwords import Passwords
from beholden.catalog import Catalog, cameras, events, sites, users
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.catalog.users import Grant
from beholden.model.access import Action, Role
from beholden.model.event import Box, ObjectClass
from beholden.model.time import FakeClock
from beholden.web.app import create_app
from beholden.web.compose import add_media
from beholden.web.stats import FakeStats
from beholden.web.trial import FakeTrial

with warnings.catch_warnings():  # starlette prefers httpx2, and works with httpx
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient, WebSocketTestSession

ADMIN_PASSWORD = "correct horse battery"
VIEWER_PASSWORD = "staple another horse"
CAMERA_PASSWORD = "canary-Pa55word"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class SiteUnderTest:
    """Everything a test may want to look at or turn."""

    directory: Path
    catalog: Catalog
    box: SecretBox
    clock: FakeClock
    stats: FakeStats
    trial: FakeTrial
    passwords: Passwords
    app: FastAPI
    admin: int = 0
    viewer: int = 0
    gate: int = 0  # the camera the viewer may see everything of
    yard: int = 0  # the camera the viewer may see nothing of
    gate_event: int = 0
    yard_event: int = 0
    clients: list[TestClient] = field(default_factory=list)

    def client(self, name: str | None = None) -> TestClient:
        """A browser of its own: signed in as ``admin`` or ``viewer``, or a stranger."""
        client = TestClient(self.app, base_url="http://127.0.0.1:8484")
        if name is not None:
            password = ADMIN_PASSWORD if name == "admin" else VIEWER_PASSWORD
            answer = client.post("/api/v1/session", json={"username": name, "password": password})
            assert answer.status_code == 200, answer.text
        self.clients.append(client)
        return client

    def socket(self, client: TestClient, path: str, **headers: str) -> WebSocketTestSession:
        """A WebSocket of that browser, to be used in a ``with``."""
        return client.websocket_connect(f"ws://127.0.0.1:8484{path}", headers=headers)


@pytest.fixture(scope="session")
def quick_passwords() -> Passwords:
    """Hashing that takes no time."""
    return Passwords(QUICK)


@pytest.fixture
def site(tmp_path: Path, quick_passwords: Passwords) -> Iterator[SiteUnderTest]:
    """A site with cameras ``gate`` and ``yard``, an event on each, ``admin``, and ``viewer`` (gate only)."""
    catalog, box, clock = Catalog.open(tmp_path), SecretBox.open(tmp_path), FakeClock()
    stats, trial = FakeStats(), FakeTrial()
    with catalog.write() as conn:
        sites.ensure(conn, name="Harbour", time_zone="Europe/Oslo")
    app = create_app(
        tmp_path, catalog=catalog, box=box, trial=trial, clock=clock, stats=stats, passwords=quick_passwords
    )
    add_media(app, app.state.context)
    made = SiteUnderTest(tmp_path, catalog, box, clock, stats, trial, quick_passwords, app)
    _people_and_cameras(made)
    yield made
    for client in made.clients:
        client.close()
    catalog.close()


def _people_and_cameras(made: SiteUnderTest) -> None:
    now = made.clock.now_ms()
    with made.catalog.write() as conn:
        for name in ("gate", "yard"):
            new = NewCamera(
                name, f"rtsp://op:{CAMERA_PASSWORD}@192.0.2.7/{name}", f"rtsp://192.0.2.7/{name}/sub"
            )
            setattr(made, name, cameras.add(conn, made.box, now, new))
        made.admin = users.add(conn, now, "admin", Role.ADMIN, made.passwords.make(ADMIN_PASSWORD, "admin"))
        made.viewer = users.add(
            conn, now, "viewer", Role.VIEWER, made.passwords.make(VIEWER_PASSWORD, "viewer")
        )
        users.set_grants(conn, made.viewer, frozenset(Grant(made.gate, action) for action in Action))
        for name in ("gate", "yard"):
            number = events.start_event(
                conn, getattr(made, name), ObjectClass.PERSON, now - 5000, 0.9, Box(0, 0, 1, 1), now - 4000
            )
            setattr(made, f"{name}_event", number)
