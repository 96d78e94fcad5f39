"""Finding an account, and keeping the last administrator."""

from __future__ import annotations

from sqlalchemy import Connection

from beholden.catalog import users
from beholden.catalog.users import User
from beholden.model.access import Role
from beholden.model.errors import BeholdenError


def find(conn: Connection, name: str) -> User:
    """An account by name; BeholdenError ``user_not_found``."""
    account = users.by_name(conn, name)
    if account is None:
        raise BeholdenError(
            "user_not_found", f"There is no user {name!r}.", "`beholden user list` shows them."
        )
    return account


def keep_an_admin(conn: Connection, leaving: User) -> None:
    """BeholdenError ``last_admin`` when nobody could change settings after this account is gone."""
    others = [
        account
        for account in users.all_users(conn)
        if account.role is Role.ADMIN and not account.disabled and account.id != leaving.id
    ]
    if leaving.role is Role.ADMIN and not others:
        raise BeholdenError(
            "last_admin", f"{leaving.name} is the last administrator.", "Add another administrator first."
        )
