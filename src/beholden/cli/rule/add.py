"""`beholden rule add`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.options import CameraName, Data, Json
from beholden.cli.output import print_json, say
from beholden.cli.rule.settings import takes_settings
from beholden.model.rule import Rule, RuleKind
from beholden.model.time import SystemClock


@takes_settings
def add(
    data: Data,
    camera: CameraName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    kind: Annotated[RuleKind, typer.Option(help="What it waits for.")],
    place: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Its zone or line, by name or number.")
    ] = None,
    json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Add a rule, switched off: `beholden backtest run` tries it, `beholden rule on` switches it on."""
    from beholden.catalog import cameras, places, rules
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.write() as conn:
        camera_id = cameras.find(conn, camera)
        place_id = places.find(conn, camera_id, place) if place is not None else None
        wanted = Rule(id=0, camera=camera_id, name=name, kind=kind, place=place_id, **settings)
        made = rules.add(conn, SystemClock().now_ms(), wanted, by=opening.operator())
    if json:
        print_json(rules.as_json(made))
    else:
        say(f"Added rule {made.id}. Try it with `beholden backtest run {camera} --rule {made.id} --from 1d`.")
