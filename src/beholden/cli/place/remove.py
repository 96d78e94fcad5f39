"""`beholden place remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data
from beholden.cli.output import say
from beholden.model.time import SystemClock


def remove(data: Data, place: Annotated[int, typer.Argument(metavar="ID", help="Its number.")]) -> None:
    """Remove a zone, line or mask that no rule refers to."""
    from beholden.catalog import places
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.write() as conn:
        places.remove(conn, SystemClock().now_ms(), place, opening.operator())
    say(f"Removed place {place}.")
