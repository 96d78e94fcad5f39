"""`beholden camera list`."""

from __future__ import annotations

from typing import Any

from beholden.cli.camera.windows import show_windows
from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table, size
from beholden.model.camera import CameraConfig, RecordingMode


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
                _recorded(camera),
                camera.analyse,
                _kept(camera),
            )
            for camera in found
        ),
        empty="There are no cameras yet; `beholden camera add NAME RTSP_URL` adds one.",
    )


def _recorded(camera: CameraConfig) -> str:
    if not camera.enabled:
        return "off"
    if not camera.record:
        return "no"
    around = f"{camera.pre_seconds} s before to {camera.post_seconds} s after"
    if camera.mode is RecordingMode.EVENTS:
        return f"events, {around}"
    if camera.mode is RecordingMode.SCHEDULE:
        return "; ".join(show_windows(camera.windows)) or "schedule without a window: never"
    return "always"


def _kept(camera: CameraConfig) -> str:
    parts = [f"{camera.keep_days:g} days"]
    if camera.keep_event_days is not None:
        parts.append(f"events {camera.keep_event_days:g}")
    if camera.max_days is not None:
        parts.append(f"at most {camera.max_days:g}")
    if camera.max_bytes is not None:
        parts.append(f"up to {size(camera.max_bytes)}")
    return ", ".join(parts)


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
        "transport": camera.main.transport.value,
        "certificate": camera.main.certificate,
        "mode": camera.mode.value,
        "pre_seconds": camera.pre_seconds,
        "post_seconds": camera.post_seconds,
        "windows": show_windows(camera.windows),
        "keep_days": camera.keep_days,
        "keep_event_days": camera.keep_event_days,
        "max_days": camera.max_days,
        "max_bytes": camera.max_bytes,
        "memory_bytes": camera.memory_bytes,
        "listen": camera.listen,
        "detect_main": camera.detect_main,
    }
