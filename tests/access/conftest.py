"""Fixtures: a catalog with two cameras, an administrator and a viewer, under a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from beholden.access.door import Door
from beholden.access.passwords import Passwords
from beholden.access.sessions import Sessions
from beholden.access.sign_in import SignIn
from beholden.access.throttle import Throttle
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog, cameras, looks, users
from beholden.catalog.cameras import NewCamera
from beholden.catalog.looks import Look
from beholden.catalog.secrets import SecretBox
from beholden.catalog.users import Grant
from beholden.model.access import Action, Role
from beholden.model.time import FakeClock

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class House:
    """The access room over a real catalog."""

    catalog: Catalog
    clock: FakeClock
    sessions: Sessions
    passwords: Passwords
    throttle: Throttle
    sign_in: SignIn
    door: Door
    admin: int
    viewer: int
    gate: int
    yard: int

    def signed_in(self, user_id: int, ip: str = "192.0.2.50") -> Viewer:
        """A live session of an account."""
        with self.catalog.read() as conn:
            user = users.by_id(conn, user_id)
        assert user is not None
        return self.sessions.start(user, ip, "test").viewer

    def looks(self) -> list[Look]:
        """All looks, oldest first."""
        with self.catalog.read() as conn:
            return looks.page(conn)[::-1]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """``admin`` has the password ``correct horse battery``; ``viewer`` may not download."""
    catalog, box, clock = Catalog.open(tmp_path), SecretBox.open(tmp_path), FakeClock()
    passwords, throttle, sessions = Passwords(QUICK), Throttle(clock), Sessions(catalog, clock)
    now = clock.now_ms()
    with catalog.write() as conn:
        gate = cameras.add(
            conn, box, now, NewCamera("gate", "rtsp://u:p@192.0.2.7/gate", "rtsp://192.0.2.7/sub")
        )
        yard = cameras.add(conn, box, now, NewCamera("yard", "rtsp://192.0.2.8/yard"))
        admin = users.add(conn, now, "admin", Role.ADMIN, passwords.make("correct horse battery", "admin"))
        viewer = users.add(conn, now, "viewer", Role.VIEWER)
        allowed = (Action.LIVE, Action.PLAYBACK, Action.STILL)
        users.set_grants(conn, viewer, frozenset(Grant(gate, action) for action in allowed))
    sign_in = SignIn(catalog, clock, sessions, passwords, throttle)
    yield House(
        catalog,
        clock,
        sessions,
        passwords,
        throttle,
        sign_in,
        Door(catalog, clock),
        admin,
        viewer,
        gate,
        yard,
    )
    catalog.close()
