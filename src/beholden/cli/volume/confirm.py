"""`beholden volume confirm`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, VolumeName
from beholden.cli.output import say
from beholden.model.errors import BeholdenError


def confirm(
    data: Data,
    volume: VolumeName,
    missing: Annotated[bool, typer.Option("--missing", help="What is not there is really gone.")] = False,
    deletion: Annotated[bool, typer.Option("--deletion", help="So much is meant to be deleted.")] = False,
) -> None:
    """Answer the recorder that asks before it believes a mass loss, or deletes most footage; for a day."""
    from beholden.catalog import volumes
    from beholden.cli import opening
    from beholden.model.time import SystemClock

    if missing == deletion:
        raise BeholdenError(
            "nothing_to_confirm", "Say what is meant.", "Give --missing or --deletion, as the alarm says."
        )
    with opening.existing(data) as site, site.catalog.write() as conn:
        row = volumes.find(conn, volume)
        question: volumes.Question = "missing" if missing else "deletion"
        volumes.confirm(conn, SystemClock().now_ms(), row.id, question, by=opening.operator())
    say(f"Confirmed for {row.path}. A running system goes on within a minute.")
