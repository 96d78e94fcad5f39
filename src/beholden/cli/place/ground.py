"""`beholden place ground`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import CameraName, Data
from beholden.cli.output import say
from beholden.cli.place.points import parse_points
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock


def ground(
    data: Data,
    camera: CameraName,
    points: Annotated[
        str | None,
        typer.Option(metavar="'X,Y X,Y …'", help="Four points of the ground, 0 to 1 of the picture."),
    ] = None,
    metres: Annotated[
        str | None, typer.Option(metavar="'X,Y X,Y …'", help="Where they lie, in metres, in the same order.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget what was measured.")] = False,
) -> None:
    """Measure the ground before a camera, so that speed can be told."""
    from beholden.catalog import cameras, places
    from beholden.cli import opening

    if remove == (points is not None and metres is not None):
        raise BeholdenError("bad_ground", "Nothing was measured.", "Give --points and --metres, or --remove.")
    now_ms = SystemClock().now_ms()
    with opening.existing(data) as site, site.catalog.write() as conn:
        camera_id = cameras.find(conn, camera)
        if remove:
            places.remove_ground(conn, now_ms, camera_id, opening.operator())
        else:
            four = parse_points(points or ""), parse_points(metres or "")
            places.set_ground(conn, now_ms, camera_id, *four, opening.operator())
    say("The ground is forgotten." if remove else "The ground is measured.")
