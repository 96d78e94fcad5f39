"""Signed-in sessions and one-time sign-in links. Only hashes of tokens are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from beholden.catalog.tables import session, sign_in_link


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser or script."""

    id: int
    user_id: int
    created_ms: int
    last_seen_ms: int
    expires_ms: int
    ip: str
    agent: str
    revoked_ms: int | None


def add(
    conn: Connection, at_ms: int, token_hash: bytes, user_id: int, expires_ms: int, ip: str, agent: str
) -> int:
    """Store a new session and return its id."""
    statement = session.insert().values(
        token_hash=token_hash,
        user_id=user_id,
        created_ms=at_ms,
        last_seen_ms=at_ms,
        expires_ms=expires_ms,
        ip=ip,
        agent=agent[:300],
    )
    return int(conn.execute(statement.returning(session.c.id)).scalar_one())


def by_token(conn: Connection, token_hash: bytes) -> Session | None:
    """The session of a token, revoked or expired ones included, or None."""
    row = conn.execute(select(session).where(session.c.token_hash == token_hash)).first()
    return _session(row) if row is not None else None


def of_user(conn: Connection, user_id: int, now_ms: int) -> list[Session]:
    """The live sessions of a user, newest first."""
    query = (
        select(session)
        .where(session.c.user_id == user_id, session.c.revoked_ms.is_(None), session.c.expires_ms > now_ms)
        .order_by(session.c.last_seen_ms.desc())
    )
    return [_session(row) for row in conn.execute(query)]


def touch(conn: Connection, session_id: int, now_ms: int, expires_ms: int) -> None:
    """Note that a session was used and when it now ends."""
    conn.execute(
        update(session).where(session.c.id == session_id).values(last_seen_ms=now_ms, expires_ms=expires_ms)
    )


def revoke(conn: Connection, at_ms: int, *, session_id: int | None = None, user_id: int | None = None) -> int:
    """End one session, or all of a user; returns how many ended."""
    statement = update(session).where(session.c.revoked_ms.is_(None)).values(revoked_ms=at_ms)
    if session_id is not None:
        statement = statement.where(session.c.id == session_id)
    if user_id is not None:
        statement = statement.where(session.c.user_id == user_id)
    if session_id is None and user_id is None:
        raise ValueError("name a session or a user")
    return int(conn.execute(statement).rowcount)


def add_link(conn: Connection, token_hash: bytes, user_id: int, expires_ms: int) -> None:
    """Store a one-time sign-in link."""
    conn.execute(sign_in_link.insert().values(token_hash=token_hash, user_id=user_id, expires_ms=expires_ms))


def use_link(conn: Connection, at_ms: int, token_hash: bytes) -> int | None:
    """Use up a link; the user's id, or None when it is unknown, used or too old."""
    result = conn.execute(
        update(sign_in_link)
        .where(
            sign_in_link.c.token_hash == token_hash,
            sign_in_link.c.used_ms.is_(None),
            sign_in_link.c.expires_ms > at_ms,
        )
        .values(used_ms=at_ms)
        .returning(sign_in_link.c.user_id)
    ).scalar()
    return int(result) if result is not None else None


def _session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        row.user_id,
        row.created_ms,
        row.last_seen_ms,
        row.expires_ms,
        row.ip,
        row.agent,
        row.revoked_ms,
    )
