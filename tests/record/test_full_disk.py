"""A disk that is really full: a small file system in memory, filled and freed under a running recorder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras, gaps, segments, sites, volumes
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.record.role import run_recorder
from beholden.store.volume import Volume

pytestmark = [pytest.mark.rtsp, pytest.mark.faults]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB; skipped where mounting is not allowed."""
    path = tmp_path / "footage"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait for something, generously."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, bytes(4096))
    os.close(fd)


def test_a_full_disk_is_said_is_a_gap_and_ends_by_itself(
    tmp_path: Path, small_disk: Path, virtual_cameras: Any
) -> None:
    """Full: live goes on, stats name the disk, what was kept is indexed. Freed: recording is back unasked."""
    catalog = Catalog.open(tmp_path)
    volume = Volume.create(small_disk)
    with catalog.write() as conn:
        sites.ensure(conn)
        volumes.add(conn, 0, volume.uuid, str(small_disk), floor_bytes=0)
        camera = cameras.add(
            conn, SecretBox.open(tmp_path), 0, cameras.NewCamera("gate", virtual_cameras.url("gate"))
        )
    stop = threading.Event()
    thread = threading.Thread(target=run_recorder, args=(tmp_path, 0, lambda: None, stop))
    thread.start()

    def stats() -> dict[str, Any]:
        try:
            with BusClient(socket_path(tmp_path, "recorder-0")) as client:
                rows = client.request({"op": "stats"}, timeout=10)["streams"]
        except BusError:
            return {}
        return rows[0] if rows else {}

    try:
        eventually(lambda: (stats().get("last_fragment_ms") or 0) and stats()["pictures"] > 15)
        ballast = small_disk / "ballast"
        fill(ballast)
        told = eventually(lambda: (row := stats()) and "full" in row["reason"] and row)
        assert (told["state"], told["recording"]) == ("live", False)
        ballast.unlink()
        eventually(lambda: stats().get("recording") and "full" not in stats()["reason"])
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    with catalog.read() as conn:
        rows = segments.between(conn, camera, StreamRole.MAIN, 0, 1 << 62)
        holes = gaps.between(conn, camera, StreamRole.MAIN, 0, 1 << 62)
    catalog.close()
    assert len(rows) >= 2
    assert (holes[0].cause, holes[0].start_ms) == (GapCause.DISK_FULL, rows[0].end_ms)
    assert holes[0].end_ms == rows[1].key.start_ms
