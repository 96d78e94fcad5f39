"""`beholden user link`."""

from __future__ import annotations

from pathlib import Path

from beholden.cli.options import Data, UserName
from beholden.cli.output import say


def link(data: Data, name: UserName) -> None:
    """Print a link that signs this account in once, within a day."""
    from beholden.access.links import make_link
    from beholden.cli import opening
    from beholden.cli.user.account import find

    with opening.existing(data) as site:
        with site.catalog.read() as conn:
            account = find(conn, name)
        say_link(data, make_link(site.catalog, account.id))


def say_link(data: Path, token: str) -> None:
    """Print where to open a token, on a line of its own."""
    from beholden.access.links import link_path
    from beholden.bus.paths import run_dir
    from beholden.run import settings
    from beholden.run.ready import noted_address

    base = noted_address(run_dir(data)) or settings.load(data=data).base_url
    say("This link signs in once, within a day:")
    say(f"{base}{link_path(token)}")
