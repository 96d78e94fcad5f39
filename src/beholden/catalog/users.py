"""User accounts and their grants. Password hashing lives in ``access``; here is only storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from beholden.catalog.tables import user, user_grant
from beholden.model.access import Action, Role
from beholden.model.errors import BeholdenError


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to one action on one camera; ``camera`` None means every camera."""

    camera: int | None
    action: Action


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``password_hash`` is None until a password was chosen."""

    id: int
    name: str
    role: Role
    password_hash: str | None
    disabled: bool
    grants: frozenset[Grant]


def add(conn: Connection, at_ms: int, name: str, role: Role, password_hash: str | None = None) -> int:
    """Add an account; BeholdenError ``bad_name`` or ``name_taken``."""
    if not name.strip() or len(name) > 80:
        raise BeholdenError("bad_name", "A user needs a name of 1 to 80 characters.")
    if by_name(conn, name) is not None:
        raise BeholdenError("name_taken", f"There is a user named {name!r} already.", "Choose another name.")
    statement = user.insert().values(
        name=name.strip(), role=role.value, password_hash=password_hash, created_ms=at_ms, disabled=False
    )
    return int(conn.execute(statement.returning(user.c.id)).scalar_one())


def by_name(conn: Connection, name: str) -> User | None:
    """An account by name, or None."""
    row = conn.execute(select(user).where(user.c.name == name.strip())).first()
    return _user(conn, row) if row is not None else None


def by_id(conn: Connection, user_id: int) -> User | None:
    """An account by id, or None."""
    row = conn.execute(select(user).where(user.c.id == user_id)).first()
    return _user(conn, row) if row is not None else None


def all_users(conn: Connection) -> list[User]:
    """Every account, by name."""
    return [_user(conn, row) for row in conn.execute(select(user).order_by(user.c.name)).all()]


def count(conn: Connection) -> int:
    """How many accounts there are."""
    return int(conn.execute(select(func.count()).select_from(user)).scalar_one())


def set_password_hash(conn: Connection, user_id: int, password_hash: str) -> None:
    """Store a new hash."""
    conn.execute(update(user).where(user.c.id == user_id).values(password_hash=password_hash))


def set_disabled(conn: Connection, user_id: int, disabled: bool) -> None:
    """Switch an account off or on."""
    conn.execute(update(user).where(user.c.id == user_id).values(disabled=disabled))


def remove(conn: Connection, user_id: int) -> None:
    """Forget an account with its sessions, links and grants. Its looks keep its name; its id is never
    given again."""
    conn.execute(delete(user).where(user.c.id == user_id))


def set_grants(conn: Connection, user_id: int, grants: frozenset[Grant]) -> None:
    """Replace an account's grants."""
    conn.execute(delete(user_grant).where(user_grant.c.user_id == user_id))
    for grant in sorted(grants, key=lambda g: (g.camera or 0, g.action)):
        conn.execute(
            user_grant.insert().values(user_id=user_id, camera=grant.camera, action=grant.action.value)
        )


def _user(conn: Connection, row: Row[Any]) -> User:
    rows = conn.execute(select(user_grant).where(user_grant.c.user_id == row.id))
    grants = frozenset(Grant(item.camera, Action(item.action)) for item in rows)
    return User(row.id, row.name, Role(row.role), row.password_hash, row.disabled, grants)
