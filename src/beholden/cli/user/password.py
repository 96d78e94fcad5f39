"""`beholden user password`."""

from __future__ import annotations

from beholden.cli.options import Data, PasswordStdin, UserName
from beholden.cli.output import say
from beholden.model.errors import BeholdenError


def password(data: Data, name: UserName, password_stdin: PasswordStdin = False) -> None:
    """Set an account's password and sign it out everywhere."""
    import sys

    from beholden.access.passwords import Passwords
    from beholden.catalog import sessions, users
    from beholden.cli import opening, secrets
    from beholden.cli.user.account import find
    from beholden.model.time import SystemClock

    if not password_stdin and not sys.stdin.isatty():
        raise BeholdenError(
            "no_password", "There is no terminal to ask at.", "Give --password-stdin and the password there."
        )
    with opening.existing(data) as site:
        with site.catalog.read() as conn:
            account = find(conn, name)
        hashed = Passwords().make(secrets.choose_password("New password"), account.name)
        with site.catalog.write() as conn:
            users.set_password_hash(conn, account.id, hashed)
            ended = sessions.revoke(conn, SystemClock().now_ms(), user_id=account.id)
    say(f"The password of {account.name} is changed; {ended} sessions were ended.")
