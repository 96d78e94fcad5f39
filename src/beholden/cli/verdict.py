"""`beholden verdict`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data
from beholden.cli.output import say
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock

WITHDRAW = "withdraw"


def verdict(
    data: Data,
    event: Annotated[int, typer.Argument(metavar="EVENT", help="The event's number.")],
    said: Annotated[str, typer.Argument(metavar="VERDICT", help="right, wrong, or withdraw.")],
) -> None:
    """Say that an event was right or wrong; who said it is journalled."""
    from beholden.catalog import verdicts
    from beholden.cli import opening
    from beholden.model.verdict import Verdict

    if said not in ("right", "wrong", WITHDRAW):
        raise BeholdenError("bad_verdict", f"{said!r} is not a verdict.", "Say right, wrong or withdraw.")
    with opening.existing(data) as site, site.catalog.write() as conn:
        now_ms, by = SystemClock().now_ms(), opening.operator()
        if said == WITHDRAW:
            verdicts.withdraw(conn, now_ms, event, by)
        else:
            verdicts.give(conn, now_ms, event, Verdict(said), by)
    say(f"Event {event}: {said}.")
