"""`beholden rule change`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.options import Data, RuleNumber
from beholden.cli.output import say
from beholden.cli.rule.settings import takes_settings
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock


@takes_settings
def change(
    data: Data,
    rule: RuleNumber,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    place: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Another zone or line; '' for the whole picture.")
    ] = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Change a rule. It takes effect within a second."""
    from beholden.catalog import places, rules
    from beholden.cli import opening

    changes = dict(settings)
    if name is not None:
        changes["name"] = name
    with opening.existing(data) as site, site.catalog.write() as conn:
        if place is not None:
            camera_id = rules.get(conn, rule).camera
            changes["place"] = places.find(conn, camera_id, place) if place else None
        if not changes:
            raise BeholdenError(
                "nothing_to_change",
                "Nothing was given to change.",
                "`beholden rule change --help` lists what can be.",
            )
        rules.change(conn, SystemClock().now_ms(), rule, changes, by=opening.operator())
    say(f"Changed rule {rule}.")
