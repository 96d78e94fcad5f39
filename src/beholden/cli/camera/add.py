"""`beholden camera add`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.camera.settings import takes_settings
from beholden.cli.options import Data, Json, PasswordStdin
from beholden.cli.output import print_json, say, warn


@takes_settings
def add(
    data: Data,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    url: Annotated[str, typer.Argument(metavar="RTSP_URL", help="Its main stream, which is recorded.")],
    sub: Annotated[str | None, typer.Option(metavar="URL", help="Its sub stream, which is analysed.")] = None,
    user: Annotated[str | None, typer.Option(help="User name on the camera.")] = None,
    password_stdin: PasswordStdin = False,
    json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Add a camera. A running system begins to record it within seconds."""
    from beholden.catalog import cameras
    from beholden.cli import opening, secrets
    from beholden.model.time import SystemClock
    from beholden.run.lock import is_running

    _warn_of_password_in(url, sub)
    new = cameras.NewCamera(
        name=name,
        main_url=url,
        sub_url=sub,
        username=user,
        password=secrets.read_password("Password of the camera") if password_stdin else None,
        **settings,
    )
    cameras.split_url(url)  # a wrong address is told before a directory is made for it
    with opening.made_ready(data) as site, site.catalog.write() as conn:
        camera_id = cameras.add(conn, site.box, SystemClock().now_ms(), new, by=opening.operator())
    if json:
        print_json({"id": camera_id, "name": name.strip()})
    elif is_running(data):
        say(f"Added camera {camera_id}, {name.strip()}. Recording begins within seconds.")
    else:
        say(f"Added camera {camera_id}, {name.strip()}. Recording begins with `beholden run --data {data}`.")


def _warn_of_password_in(*urls: str | None) -> None:
    from urllib.parse import urlsplit

    for url in urls:
        try:
            given = urlsplit(url or "").password
        except ValueError:
            continue
        if given:
            warn(
                "The password in the address could be read in the process list and stays in your shell's "
                "history; next time use --user and --password-stdin."
            )
            return
