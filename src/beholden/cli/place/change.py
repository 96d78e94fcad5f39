"""`beholden place change`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data
from beholden.cli.output import say
from beholden.cli.place.points import parse_points
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock


def change(
    data: Data,
    place: Annotated[int, typer.Argument(metavar="ID", help="Its number.")],
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    points: Annotated[
        str | None, typer.Option(metavar="'X,Y X,Y …'", help="Its corners or points from now on.")
    ] = None,
) -> None:
    """Rename or redraw a zone, a line or a mask. Rules about it follow within a second."""
    from beholden.catalog import places
    from beholden.cli import opening

    if name is None and points is None:
        raise BeholdenError("nothing_to_change", "Nothing was given to change.", "Give --name or --points.")
    drawn = parse_points(points) if points is not None else None
    with opening.existing(data) as site, site.catalog.write() as conn:
        now_ms, by = SystemClock().now_ms(), opening.operator()
        made = places.change(conn, now_ms, place, name=name, points=drawn, by=by)
    say(f"Changed {made.kind.value} {place}.")
