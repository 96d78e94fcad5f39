"""`beholden user remove`."""

from __future__ import annotations

from beholden.cli.options import Data, UserName
from beholden.cli.output import say


def remove(data: Data, name: UserName) -> None:
    """Remove an account and sign it out everywhere. The record of what it looked at stays."""
    from beholden.catalog import users
    from beholden.cli import opening
    from beholden.cli.user.account import find, keep_an_admin

    with opening.existing(data) as site, site.catalog.write() as conn:
        account = find(conn, name)
        keep_an_admin(conn, account)
        users.remove(conn, account.id)
    say(f"Removed {account.name}.")
