"""Signed-in sessions: opaque tokens, kept on the server side, ended there and at once."""

from __future__ import annotations

from dataclasses import dataclass

from beholden.access.tokens import new_token, token_hash
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog, users
from beholden.catalog import sessions as stored
from beholden.catalog.sessions import Session
from beholden.model.time import Clock

IDLE_MS = 7 * 86_400_000
ABSOLUTE_MS = 30 * 86_400_000
# Noting every request would be a durable write for each; once a minute tells as much.
_TOUCH_MS = 60_000


@dataclass(frozen=True, slots=True)
class Started:
    """A new session. ``token`` exists only here and in the cookie; ``max_age_seconds`` is for that cookie."""

    token: str
    viewer: Viewer
    max_age_seconds: int = ABSOLUTE_MS // 1000


class Sessions:
    """Starts, finds and ends sessions. Nothing is cached, so an ended session is ended everywhere."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def start(self, user: users.User, ip: str, agent: str) -> Started:
        """A session for an account that has just proved who it is."""
        token, now = new_token(), self._clock.now_ms()
        with self._catalog.write() as conn:
            session_id = stored.add(conn, now, token_hash(token), user.id, now + IDLE_MS, ip, agent)
        return Started(token, Viewer(user.id, user.name, user.role, session_id, ip))

    def find(self, token: str, ip: str) -> Viewer | None:
        """Who holds this token; None when it is unknown, ended, too old, or its account disabled.

        ``ip`` is the address of this request, which may differ from where the session began.
        """
        now = self._clock.now_ms()
        with self._catalog.read() as conn:
            session = stored.by_token(conn, token_hash(token))
            user = users.by_id(conn, session.user_id) if session is not None else None
        if session is None or user is None or user.disabled or not _lives(session, now):
            return None
        if now - session.last_seen_ms >= _TOUCH_MS:
            self._touch(session, now)
        return Viewer(user.id, user.name, user.role, session.id, ip)

    def lives(self, viewer: Viewer) -> bool:
        """Whether the session of somebody found earlier still holds (for long-lived connections)."""
        now = self._clock.now_ms()
        with self._catalog.read() as conn:
            user = users.by_id(conn, viewer.user_id)
            live = stored.of_user(conn, viewer.user_id, now)
        return (
            user is not None
            and not user.disabled
            and user.role is viewer.role
            and any(session.id == viewer.session_id and _lives(session, now) for session in live)
        )

    def own(self, viewer: Viewer) -> list[Session]:
        """The live sessions of somebody's account, the one used last first."""
        now = self._clock.now_ms()
        with self._catalog.read() as conn:
            return [item for item in stored.of_user(conn, viewer.user_id, now) if _lives(item, now)]

    def end(self, viewer: Viewer, session_id: int) -> bool:
        """End one of somebody's own sessions; False when it is not theirs or has ended."""
        if all(session.id != session_id for session in self.own(viewer)):
            return False
        with self._catalog.write() as conn:
            return stored.revoke(conn, self._clock.now_ms(), session_id=session_id) > 0

    def end_others(self, viewer: Viewer) -> None:
        """End every session of an account but this one, as after a new password."""
        for session in self.own(viewer):
            if session.id != viewer.session_id:
                self.end(viewer, session.id)

    def _touch(self, session: Session, now: int) -> None:
        expires = min(now + IDLE_MS, session.created_ms + ABSOLUTE_MS)
        with self._catalog.write() as conn:
            stored.touch(conn, session.id, now, expires)


def _lives(session: Session, now: int) -> bool:
    return session.revoked_ms is None and now < min(session.expires_ms, session.created_ms + ABSOLUTE_MS)
