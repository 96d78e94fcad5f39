"""The demo's cameras as a process of their own: footage, clips, server, until its parent or a signal ends it.

It tells its parent one line of JSON on standard output when it is ready. On SIGUSR1 all cameras stop
sending but keep
their connections, and a second line tells how many pictures each stream has sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import setproctitle
import uvloop

from beholden.demo import places, progress
from beholden.demo.camera import VirtualCamera
from beholden.demo.clips import choose_recipes, make_cameras
from beholden.demo.footage import SystemPackages, find_footage, footage_in
from beholden.demo.rtsp_server import VirtualCameras
from beholden.model.errors import BeholdenError


def serve_demo(count: int, port: int) -> int:
    """Serve the demo's ``count`` cameras; ``port`` is tried first and another taken when it is in use."""
    footage = _footage()
    if not footage:
        say("Footage: none can be had; the cameras show drawn pictures, in which nothing will be detected.")
    recipes = choose_recipes(footage, count)
    with progress.shown("Coding the cameras' clips") as step:
        cameras = make_cameras(recipes, footage, places.cache() / "clips", step)
    titles = {recipe.name: recipe.title for recipe in recipes}
    return uvloop.run(_serve(cameras, titles, port, strict=False))


def _footage() -> dict[str, Path]:
    """From the folder BEHOLDEN_FOOTAGE names, and then nothing is downloaded; else out of packages."""
    folder = os.environ.get("BEHOLDEN_FOOTAGE")
    if folder:
        return footage_in(Path(folder))
    return find_footage(places.cache() / "footage", SystemPackages(), say)


def serve_clips(cameras: Sequence[VirtualCamera], port: int) -> int:
    """Serve given clips on exactly this port (0: any)."""
    return uvloop.run(_serve(cameras, {camera.name: camera.name for camera in cameras}, port, strict=True))


def say(text: str) -> None:
    """A line for a person."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


async def _serve(cameras: Sequence[VirtualCamera], titles: dict[str, str], port: int, strict: bool) -> int:
    setproctitle.setproctitle("beholden: virtual cameras")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = VirtualCameras(cameras, port=port)
    try:
        await server.__aenter__()
    except BeholdenError as error:
        if strict or error.code != "port_in_use":
            raise
        server = VirtualCameras(cameras, port=0)
        await server.__aenter__()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _hold, server)
    try:
        _tell({"port": server.port, "cameras": [_described(server, each, titles) for each in cameras]})
        await stop.wait()
    finally:
        await server.__aexit__(None, None, None)
    return 0


def _hold(server: VirtualCameras) -> None:
    server.hold()
    _tell({"sent": {f"{name}/{stream}": count for (name, stream), count in server.totals().items()}})


def _described(server: VirtualCameras, camera: VirtualCamera, titles: dict[str, str]) -> dict[str, Any]:
    sub = server.url(camera.name, "sub") if camera.sub is not None else None
    return {"title": titles[camera.name], "main": server.url(camera.name), "sub": sub}


def _tell(value: dict[str, Any]) -> None:
    try:
        print(json.dumps(value), flush=True)  # noqa: T201
    except BrokenPipeError:
        return  # whoever started us has gone and will not miss it


def parse_clip(text: str) -> VirtualCamera:
    """``NAME=MAIN[,SUB]`` as a camera; ValueError when it is not that, or a file is missing."""
    name, equals, paths = text.partition("=")
    files = [Path(part) for part in paths.split(",")]
    if not equals or not name or len(files) > 2:
        raise ValueError(f"not NAME=MAIN[,SUB]: {text!r}")
    for file in files:
        if not file.is_file():
            raise ValueError(f"no such file: {file}")
    return VirtualCamera(name, files[0], files[1] if len(files) > 1 else None)
