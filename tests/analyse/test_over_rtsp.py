"""Recorder and analyser over a real RTSP stream: masks hold, and what was seen lies with the footage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.role import run_analyser
from beholden.catalog import Catalog, cameras, events, places, sites, volumes
from beholden.catalog.events import EventFilter
from beholden.catalog.secrets import SecretBox
from beholden.demo.camera import VirtualCamera
from beholden.demo.encode import Encoding, write_clip
from beholden.demo.synthetic import tone
from beholden.model.camera import StreamRole
from beholden.model.place import PlaceKind
from beholden.play.motion_search import search
from beholden.record.role import run_recorder
from beholden.store.volume import Volume

from .conftest import blank
from .test_analyser import see_bright

pytestmark = [pytest.mark.rtsp, pytest.mark.timeout(240)]

RIGHT = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]
LEFT_CELLS = [row * 32 + column for row in range(18) for column in range(15)]
RIGHT_CELLS = [row * 32 + column for row in range(18) for column in range(17, 32)]


def squares() -> Iterator[np.ndarray]:
    """For eight seconds a bright square goes up and down on the left, and another on the right."""
    for number in range(80):
        picture = blank()
        top = abs(number % 40 - 20) * 5
        picture[top : top + 60, 60:100] = 230
        picture[top : top + 60, 220:260] = 230
        yield picture


@pytest.fixture
def site(tmp_path: Path, camera_factory: Callable[..., Any]) -> Iterator[tuple[Catalog, Volume, int]]:
    """A camera with a privacy mask over its right half, listened to; recorder and analyser run on it."""
    clip = tmp_path / "squares.mp4"
    write_clip(clip, squares(), Encoding(320, 180, 10, audio="aac", preset="ultrafast"), tone("aac", 8))
    running = camera_factory([VirtualCamera("yard", clip)])
    catalog, volume = Catalog.open(tmp_path), Volume.create(tmp_path / "footage")
    with catalog.write() as conn:
        sites.ensure(conn)
        volumes.add(conn, 0, volume.uuid, str(volume.path), floor_bytes=0)
        new = cameras.NewCamera("Yard", running.url("yard"), analyse="always", listen=True)
        number = cameras.add(conn, SecretBox.open(tmp_path), 0, new)
        places.add(conn, 0, number, PlaceKind.PRIVACY, "neighbours", RIGHT, "admin")
    yield catalog, volume, number
    catalog.close()


def until(condition: Callable[[], Any], seconds: float = 90) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_masks_hold_and_side_cars_lie_with_the_footage(
    tmp_path: Path, site: tuple[Catalog, Volume, int]
) -> None:
    """Behind the mask nothing moves, nothing is detected, no still shows it; the rest is kept beside the
    segment being written when the analyser stops, with its sound, and goes with it."""
    catalog, volume, camera = site
    stops = [threading.Event(), threading.Event()]
    roles = [
        threading.Thread(target=run_recorder, args=(tmp_path, 0, lambda: None, stops[0])),
        threading.Thread(
            target=lambda: run_analyser(
                tmp_path, "", lambda: None, stops[1], make_detector=lambda *_: FakeDetector(see_bright)
            )
        ),
    ]
    for role in roles:
        role.start()
    try:
        until(lambda: _seen(catalog) and any((tmp_path / "stills").rglob("*.jpg")))
        time.sleep(3)
    finally:
        stops[1].set()
        roles[1].join(60)
        stops[0].set()
        roles[0].join(60)
    assert all(event.box.right < 0.5 for event in _seen(catalog))
    for path in (tmp_path / "stills").rglob("*.jpg"):
        still = cv2.imread(str(path))
        assert still is not None
        assert still[:, 170:].max() < 12
        assert still[:, :150].max() > 200
    names = {path.name for path in volume.path.rglob("*.side")}
    assert names == {"motion.side", "boxes.side", "sound.side"}
    now_ms = time.time_ns() // 1_000_000
    assert search([volume.path], camera, LEFT_CELLS, now_ms - 600_000, now_ms + 60_000, 10).stretches
    assert not search([volume.path], camera, RIGHT_CELLS, now_ms - 600_000, now_ms + 60_000, 10).stretches
    for key in volume.open_segments(camera, StreamRole.MAIN, 0):
        volume.delete(key)
    assert list(volume.path.rglob("*.side")) == []


def _seen(catalog: Catalog) -> list[Any]:
    with catalog.read() as conn:
        return [item.event for item in events.page(conn, EventFilter())]
