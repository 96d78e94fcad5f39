"""`beholden place list`."""

from __future__ import annotations

from beholden.cli.options import CameraName, Data, Json
from beholden.cli.output import print_json, print_table
from beholden.cli.place.points import as_json


def list_places(data: Data, camera: CameraName, json: Json = False) -> None:
    """List what is drawn on a camera's picture."""
    from beholden.catalog import cameras, places
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        camera_id = cameras.find(conn, camera)
        found, plane = places.of_camera(conn, camera_id), places.ground(conn, camera_id)
    if json:
        ground = None if plane is None else {"points": plane.points, "metres": plane.metres, "rev": plane.rev}
        print_json({"places": [as_json(item) for item in found], "ground": ground})
        return
    rows = [
        (
            str(item.id),
            item.kind.value,
            item.name,
            " ".join(f"{round(x, 3):g},{round(y, 3):g}" for x, y in item.points),
        )
        for item in found
    ]
    print_table(("ID", "KIND", "NAME", "POINTS"), rows, empty="Nothing is drawn on it yet.")
