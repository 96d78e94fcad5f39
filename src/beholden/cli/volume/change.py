"""`beholden volume change`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.options import Data, VolumeName
from beholden.cli.output import say
from beholden.model.errors import BeholdenError


def change(
    data: Data,
    volume: VolumeName,
    tier: Annotated[int | None, typer.Option(help="0 is where recorders write.")] = None,
    floor: Annotated[str | None, typer.Option(metavar="SIZE", help="Free space to keep on its disk.")] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The most its footage may take, or 'none'.")
    ] = None,
    move_after: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Older footage moves to the next tier; or 'none'.")
    ] = None,
    sync: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How often what is written is made durable.")
    ] = None,
) -> None:
    """Change a volume's tier and limits. A running system follows within seconds."""
    from beholden.catalog import volumes
    from beholden.cli import opening
    from beholden.cli.volume.settings import given_settings
    from beholden.model.time import SystemClock

    changes: dict[str, Any] = given_settings(floor, limit, move_after, sync)
    if tier is not None:
        changes["tier"] = tier
    if not changes:
        raise BeholdenError(
            "nothing_to_change",
            "Nothing was given to change.",
            "`beholden volume change --help` lists what can be.",
        )
    with opening.existing(data) as site, site.catalog.write() as conn:
        number = volumes.find(conn, volume).id
        volumes.change(conn, SystemClock().now_ms(), number, changes, by=opening.operator())
    say(f"Changed volume {number}.")
    if {"tier", "sync_seconds"} & changes.keys():
        say("Recorders write there, and sync so often, from their next start.")
