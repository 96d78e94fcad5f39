"""`beholden hold release`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data
from beholden.cli.output import say


def release(
    data: Data,
    number: Annotated[int, typer.Argument(metavar="HOLD", help="Its number.")],
) -> None:
    """Release a hold: retention goes on there. Who did it is journalled, and the hold stays on record."""
    from beholden.catalog import holds
    from beholden.cli import opening
    from beholden.model.time import SystemClock

    with opening.existing(data) as site, site.catalog.write() as conn:
        holds.release(conn, SystemClock().now_ms(), number, by=opening.operator())
    say(f"Released hold {number}.")
