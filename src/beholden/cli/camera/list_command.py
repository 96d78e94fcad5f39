"""`beholden camera list`."""

from __future__ import annotations

from typing import Any

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table
from beholden.model.camera import CameraConfig


def list_cameras(data: Data, json: Json = False) -> None:
    """List the cameras and their settings. Passwords are not shown."""
    from beholden.catalog import cameras
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        found = cameras.present(conn, None)
        with_password = cameras.has_password(conn)
    if json:
        print_json({"cameras": [_as_json(camera, camera.id in with_password) for camera in found]})
        return
    print_table(
        ("", "NAME", "ADDRESS", "SUB STREAM", "RECORDED", "ANALYSED", "KEPT"),
        (
            (
                str(camera.id),
                camera.name,
                camera.main.url,
                camera.sub.url if camera.sub else "-",
                ("yes" if camera.record else "no") if camera.enabled else "off",
                camera.analyse,
                f"{camera.keep_days:g} days",
            )
            for camera in found
        ),
        empty="There are no cameras yet; `beholden camera add NAME RTSP_URL` adds one.",
    )


def _as_json(camera: CameraConfig, has_password: bool) -> dict[str, Any]:
    return {
        "id": camera.id,
        "name": camera.name,
        "main_url": camera.main.url,
        "sub_url": camera.sub.url if camera.sub else None,
        "username": camera.main.username,
        "has_password": has_password,
        "enabled": camera.enabled,
        "record": camera.record,
        "record_audio": camera.record_audio,
        "analyse": camera.analyse,
        "keep_days": camera.keep_days,
    }
