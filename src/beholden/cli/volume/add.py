"""`beholden volume add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, say


def add(
    data: Data,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A directory on a disk that is mounted.")],
    tier: Annotated[int, typer.Option(help="0 is where recorders write; footage moves down from there.")] = 1,
    floor: Annotated[str | None, typer.Option(metavar="SIZE", help="Free space to keep on its disk.")] = None,
    limit: Annotated[str | None, typer.Option(metavar="SIZE", help="The most its footage may take.")] = None,
    move_after: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Older footage moves to the next tier.")
    ] = None,
    sync: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How often what is written is made durable.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take a directory that was a volume before, with its footage.")
    ] = False,
    json: Json = False,
) -> None:
    """Add a storage directory. A running system moves footage there within a minute, as its tier says."""
    from beholden.cli import opening
    from beholden.cli.volume.settings import given_settings
    from beholden.model.time import SystemClock
    from beholden.record.enlist import add_volume

    settings: dict[str, Any] = {"tier": tier, **given_settings(floor, limit, move_after, sync)}
    with opening.existing(data) as site:
        at_ms, who = SystemClock().now_ms(), opening.operator()
        made = add_volume(site.catalog, at_ms, path.absolute(), settings, adopt=adopt, by=who)
    if json:
        print_json({"id": made.id, "path": made.path, "tier": made.tier})
    else:
        say(f"Added volume {made.id}, {made.path}, tier {made.tier}.")
        if made.tier == 0:
            say("Recorders write to it from their next start.")
