"""`beholden site mode`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, say
from beholden.model.errors import BeholdenError
from beholden.model.site import SiteMode
from beholden.model.time import SystemClock, to_rfc3339


def mode(
    data: Data,
    wanted: Annotated[
        str | None, typer.Argument(metavar="[MODE]", help="armed, home or away; nothing: only say it.")
    ] = None,
    json: Json = False,
) -> None:
    """Say, or set, whether people are expected. Rules follow within a second."""
    from beholden.catalog import sites
    from beholden.cli import opening

    with opening.existing(data) as site:
        if wanted is None:
            with site.catalog.read() as conn:
                now = sites.get(conn)
        else:
            with site.catalog.write() as conn:
                now = sites.set_mode(conn, SystemClock().now_ms(), _parse(wanted), opening.operator())
    if json:
        since = to_rfc3339(now.mode_ms) if now.mode_ms else None
        print_json({"mode": now.mode.value, "since": since})
    else:
        say(f"The site is set to {now.mode.value}.")


def _parse(word: str) -> SiteMode:
    try:
        return SiteMode(word.strip().lower())
    except ValueError:
        raise BeholdenError("bad_mode", f"{word!r} is not a mode.", "It is armed, home or away.") from None
