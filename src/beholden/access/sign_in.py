"""Signing in, and choosing a password: where names, passwords, links, pace and sessions come together."""

from __future__ import annotations

import structlog

from beholden.access.links import use_link
from beholden.access.passwords import Passwords
from beholden.access.refusal import SignInRefusedError
from beholden.access.sessions import Sessions, Started
from beholden.access.throttle import Throttle
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog, users
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock

log = structlog.get_logger()


class SignIn:
    """The two ways in. Every refusal says the same, whatever was wrong."""

    def __init__(
        self, catalog: Catalog, clock: Clock, sessions: Sessions, passwords: Passwords, throttle: Throttle
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle

    def by_password(self, name: str, password: str, ip: str, agent: str) -> Started:
        """SignInRefusedError or TooManyAttemptsError unless both are right."""
        self._throttle.begin(name, ip)
        with self._catalog.read() as conn:
            user = users.by_name(conn, name)
        verdict = self._passwords.check(user.password_hash if user is not None else None, password)
        if user is None or user.disabled or not verdict.right:
            log.warning("sign-in refused", cause="wrong name or password", ip=ip)
            raise SignInRefusedError(
                "The user name or the password is wrong.", "Try again, or ask for a one-time sign-in link."
            )
        self._throttle.succeed(name, ip)
        if verdict.outdated:
            self._store(user.id, self._passwords.renew(password))
        return self._start(user, ip, agent, "password")

    def by_link(self, token: str, ip: str, agent: str) -> Started:
        """SignInRefusedError or TooManyAttemptsError unless the link is unused and in time."""
        self._throttle.begin("", ip)
        user = use_link(self._catalog, token, self._clock)
        if user is None:
            log.warning("sign-in refused", cause="link unknown, used or too old", ip=ip)
            raise SignInRefusedError(
                "This sign-in link has been used already or is too old.",
                "Make a new one with `beholden user link NAME`, or sign in with your password.",
            )
        self._throttle.succeed(user.name, ip)
        return self._start(user, ip, agent, "link")

    def choose_password(self, viewer: Viewer, current: str | None, new: str) -> None:
        """Set somebody's own password and end all their other sessions.

        ``current`` is needed unless none was chosen yet. BeholdenError ``wrong_password``,
        ``bad_password``; TooManyAttemptsError for one who guesses at an open desk.
        """
        with self._catalog.read() as conn:
            user = users.by_id(conn, viewer.user_id)
        if user is None:
            raise SignInRefusedError("This account is gone.", "Sign in with another.")
        if user.password_hash is not None:
            self._throttle.begin(user.name, viewer.ip)
            if not self._passwords.check(user.password_hash, current or "").right:
                raise BeholdenError("wrong_password", "The current password is wrong.", "Try again.")
            self._throttle.succeed(user.name, viewer.ip)
        self._store(user.id, self._passwords.make(new, user.name))
        self._sessions.end_others(viewer)
        log.info("password changed", user=user.name)

    def _start(self, user: users.User, ip: str, agent: str, way: str) -> Started:
        started = self._sessions.start(user, ip, agent)
        log.info("signed in", user=user.name, ip=ip, way=way)
        return started

    def _store(self, user_id: int, password_hash: str) -> None:
        with self._catalog.write() as conn:
            users.set_password_hash(conn, user_id, password_hash)
