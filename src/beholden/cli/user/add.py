"""`beholden user add`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, PasswordStdin, UserName
from beholden.cli.output import say
from beholden.model.errors import BeholdenError


def add(
    data: Data,
    name: UserName,
    role: Annotated[
        str, typer.Option(help="viewer (sees what is granted) or admin (everything).")
    ] = "viewer",
    password_stdin: PasswordStdin = False,
) -> None:
    """Add an account. Without a password, a one-time link is printed with which one is chosen."""
    from beholden.access.links import make_link
    from beholden.access.passwords import Passwords
    from beholden.catalog import users
    from beholden.cli import opening, secrets
    from beholden.cli.user.link import say_link
    from beholden.model.access import Role
    from beholden.model.time import SystemClock

    if role not in list(Role):
        raise BeholdenError("bad_role", f"{role!r} is not a role.", "Choose viewer or admin.")
    hashed = None
    if password_stdin:
        hashed = Passwords().make(secrets.choose_password("Password"), name)
    with opening.made_ready(data) as site:
        with site.catalog.write() as conn:
            user_id = users.add(conn, SystemClock().now_ms(), name, Role(role), hashed)
        say(f"Added {name.strip()} as {role}.")
        if role == Role.VIEWER:
            say(f"It may see nothing yet; `beholden user grant {name.strip()} --camera all` changes that.")
        if hashed is None:
            say_link(data, make_link(site.catalog, user_id))
