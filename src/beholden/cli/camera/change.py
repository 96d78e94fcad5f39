"""`beholden camera change`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.camera.settings import takes_settings
from beholden.cli.options import CameraName, Data, PasswordStdin
from beholden.cli.output import say
from beholden.model.errors import BeholdenError


@takes_settings
def change(
    data: Data,
    camera: CameraName,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    url: Annotated[str | None, typer.Option(metavar="RTSP_URL", help="A new main stream.")] = None,
    sub: Annotated[str | None, typer.Option(metavar="URL", help="A new sub stream; '' for none.")] = None,
    user: Annotated[str | None, typer.Option(help="User name on the camera.")] = None,
    password_stdin: PasswordStdin = False,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Use the camera or not.")] = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Change a camera. It takes effect within seconds; other cameras are not touched."""
    from beholden.catalog import cameras
    from beholden.cli import opening, secrets
    from beholden.model.time import SystemClock

    given: dict[str, Any] = {
        "name": name,
        "main_url": url,
        "username": user,
        "enabled": enabled,
    }
    changes = settings | {key: value for key, value in given.items() if value is not None}
    if sub is not None:
        changes["sub_url"] = sub or None
    if password_stdin:
        changes["password"] = secrets.read_password("Password of the camera")
    if not changes:
        raise BeholdenError(
            "nothing_to_change",
            "Nothing was given to change.",
            "`beholden camera change --help` lists what can be.",
        )
    with opening.existing(data) as site, site.catalog.write() as conn:
        camera_id = cameras.find(conn, camera)
        cameras.change(conn, site.box, SystemClock().now_ms(), camera_id, changes, by=opening.operator())
    say(f"Changed camera {camera_id}.")
