"""`beholden place add`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import CameraName, Data, Json
from beholden.cli.output import print_json, say
from beholden.cli.place.points import as_json, parse_points
from beholden.model.place import PlaceKind
from beholden.model.time import SystemClock


def add(
    data: Data,
    camera: CameraName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    points: Annotated[
        str, typer.Option(metavar="'X,Y X,Y …'", help="Its corners, or the points of a line: 0 to 1.")
    ],
    kind: Annotated[PlaceKind, typer.Option(help="zone, line, privacy or motion.")] = PlaceKind.ZONE,
    json: Json = False,
) -> None:
    """Draw a zone, a line or a mask on a camera's picture."""
    from beholden.catalog import cameras, places
    from beholden.cli import opening

    drawn = parse_points(points)
    with opening.existing(data) as site, site.catalog.write() as conn:
        camera_id = cameras.find(conn, camera)
        made = places.add(conn, SystemClock().now_ms(), camera_id, kind, name, drawn, opening.operator())
    if json:
        print_json(as_json(made))
    else:
        say(f"Drew {made.kind.value} {made.id}.")
