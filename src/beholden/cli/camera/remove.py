"""`beholden camera remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import CameraName, Data
from beholden.cli.output import say


def remove(
    data: Data,
    camera: CameraName,
    delete_footage: Annotated[
        bool, typer.Option("--delete-footage", help="Delete what was recorded too. It cannot be undone.")
    ] = False,
) -> None:
    """Remove a camera. What it recorded stays until its days are over, unless --delete-footage is given."""
    from beholden.catalog import cameras
    from beholden.cli import opening
    from beholden.model.time import SystemClock
    from beholden.run.lock import is_running

    at_ms = SystemClock().now_ms()
    with opening.existing(data) as site, site.catalog.write() as conn:
        camera_id = cameras.find(conn, camera)
        name = cameras.get(conn, None, camera_id).name
        cameras.remove(conn, at_ms, camera_id, delete_footage=delete_footage, by=opening.operator())
    say(f"Removed camera {camera_id}, {name}.")
    if delete_footage:
        say(
            "Its footage is deleted within minutes."
            if is_running(data)
            else "Its footage is deleted at the next `beholden run`."
        )
