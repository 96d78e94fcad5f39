"""Looks: who viewed which camera's footage, append-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from beholden.catalog.tables import look
from beholden.model.access import Action


@dataclass(frozen=True, slots=True)
class Look:
    """One act of viewing. ``to_ms`` is None for live. ``id`` is 0 before it is stored."""

    id: int
    at_ms: int
    user_id: int
    user_name: str
    session_id: int | None
    ip: str
    camera: int
    action: Action
    from_ms: int
    to_ms: int | None
    what: str


def append(conn: Connection, item: Look) -> int:
    """Write one look and return its id. Only access.door calls this."""
    statement = look.insert().values(
        at_ms=item.at_ms,
        user_id=item.user_id,
        user_name=item.user_name,
        session_id=item.session_id,
        ip=item.ip,
        camera=item.camera,
        action=item.action.value,
        from_ms=item.from_ms,
        to_ms=item.to_ms,
        what=item.what,
    )
    return int(conn.execute(statement.returning(look.c.id)).scalar_one())


def page(
    conn: Connection, *, before: int | None = None, limit: int = 100, camera: int | None = None
) -> list[Look]:
    """Newest first; ``before`` is the id of the last one of the previous page."""
    query = select(look).order_by(look.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(look.c.id < before)
    if camera is not None:
        query = query.where(look.c.camera == camera)
    return [_look(row) for row in conn.execute(query)]


def _look(row: Row[Any]) -> Look:
    return Look(
        row.id,
        row.at_ms,
        row.user_id,
        row.user_name,
        row.session_id,
        row.ip,
        row.camera,
        Action(row.action),
        row.from_ms,
        row.to_ms,
        row.what,
    )
