"""What tests of every room share: drawn clips and virtual cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import synthetic_clip

ClipFactory = Callable[..., Path]
CameraFactory = Callable[..., RunningCameras]


@pytest.fixture(scope="session")
def clip_factory(tmp_path_factory: pytest.TempPathFactory) -> ClipFactory:
    """``clip_factory(width=320, height=180, fps=10, seconds=2, codec="h264", gop=0, audio="none").

    Each choice is encoded once per test session; every picture carries its number (``read_frame_number``).
    """
    folder = tmp_path_factory.mktemp("clips")

    def make(**choice: object) -> Path:
        return synthetic_clip(folder, **choice)  # type: ignore[arg-type]

    return make


@pytest.fixture
def camera_factory() -> Iterator[CameraFactory]:
    """``camera_factory([VirtualCamera(...)], user=None, password=None)`` → a server of its own, stopped
    after the test."""
    started: list[RunningCameras] = []

    def start(*arguments: object, **keywords: object) -> RunningCameras:
        started.append(start_virtual_cameras(*arguments, **keywords))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def virtual_cameras(clip_factory: ClipFactory) -> Iterator[RunningCameras]:
    """A running server shared by the session, without a login.

    Cameras: ``gate`` (H.264 320x180 at 10 fps + AAC, sub 160x90 at 5 fps), ``yard`` (H.264 + G.711 µ-law),
    ``hall`` (H.265 + AAC),
    ``dock`` (H.264 + G.711 A-law), ``roof`` (H.264 + Opus), ``lawn`` (H.264, no audio), ``wide`` (H.264
    480x270). Clips are 2 s, GOPs 1 s.
    """
    make = clip_factory
    cameras = [
        VirtualCamera("gate", make(audio="aac"), make(width=160, height=90, fps=5)),
        VirtualCamera("yard", make(audio="pcmu")),
        VirtualCamera("hall", make(codec="h265", audio="aac"), make(width=160, height=90, fps=5)),
        VirtualCamera("dock", make(audio="pcma")),
        VirtualCamera("roof", make(audio="opus")),
        VirtualCamera("lawn", make()),
        VirtualCamera("wide", make(width=480, height=270)),
    ]
    with start_virtual_cameras(cameras) as running:
        yield running
