"""One-time sign-in links: how the first administrator gets in, and how a forgotten password is mended."""

from __future__ import annotations

from beholden.access.tokens import new_token, token_hash
from beholden.catalog import Catalog, sessions, users
from beholden.catalog.users import User
from beholden.model.time import Clock, SystemClock

DEFAULT_TTL_SECONDS = 24 * 3600


def link_path(token: str) -> str:
    """What to open on the site. The token stands behind ``#``: browsers send that part to nobody, so it
    reaches no log; the page posts it to ``/api/v1/session`` and clears it."""
    return f"/sign-in#token={token}"


def make_link(
    catalog: Catalog, user_id: int, ttl: float = DEFAULT_TTL_SECONDS, clock: Clock | None = None
) -> str:
    """A token that signs this account in once within ``ttl`` seconds; only its hash is stored."""
    token = new_token()
    now = (clock or SystemClock()).now_ms()
    with catalog.write() as conn:
        sessions.add_link(conn, token_hash(token), user_id, now + round(ttl * 1000))
    return token


def use_link(catalog: Catalog, token: str, clock: Clock) -> User | None:
    """Use a token up; None when it is unknown, used, too old, or its account disabled."""
    with catalog.write() as conn:
        user_id = sessions.use_link(conn, clock.now_ms(), token_hash(token))
        user = users.by_id(conn, user_id) if user_id is not None else None
    return None if user is None or user.disabled else user
