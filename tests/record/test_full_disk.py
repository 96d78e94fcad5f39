"""Disks that are really full and really read-only: small file systems that fail under a running recorder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras, gaps, segments, sites, volumes
from beholden.catalog.secrets import SecretBox
from beholden.catalog.segments import Segment
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


class FailingDisk:
    """An ext4 of 64 MiB on a loop device that turns read-only when told to, as on an I/O error."""

    def __init__(self, image: Path, path: Path) -> None:
        self.image, self.path = image, path
        self.mount()

    def mount(self) -> None:
        options = "loop,errors=remount-ro"
        run("mount", "-t", "ext4", "-o", options, str(self.image), str(self.path))

    def fail(self) -> None:
        device = run("findmnt", "-no", "SOURCE", str(self.path)).strip().rpartition("/")[2]
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")

    def mount_again(self) -> None:
        """As its owner would, after looking at it. Files that are still open keep the old one busy."""
        run("umount", "-l", str(self.path))
        copy = self.image.with_suffix(".copy")
        copy.write_bytes(self.image.read_bytes())
        self.image = copy
        subprocess.run(["e2fsck", "-fy", str(copy)], capture_output=True, check=False)
        self.mount()


def run(*command: str) -> str:
    """Run a command that must succeed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[FailingDisk]:
    """Skipped where loop devices and mounting are not allowed."""
    image, path = tmp_path / "disk.img", tmp_path / "footage"
    path.mkdir()
    try:
        image.touch()
        os.truncate(image, 64 << 20)
        run("mkfs.ext4", "-q", "-F", str(image))
        disk = FailingDisk(image, path)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting an ext4 on a loop device needs root and mkfs.ext4")
    yield disk
    subprocess.run(["umount", "-l", str(path)], check=False)


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


@dataclass
class Running:
    """A recorder of one camera on a small disk."""

    catalog: Catalog
    camera: int
    data: Path

    def stats(self) -> dict[str, Any]:
        """What the recorder says of the camera; nothing while it does not answer."""
        try:
            with BusClient(socket_path(self.data, "recorder-0")) as client:
                rows = client.request({"op": "stats"}, timeout=10)["streams"]
        except BusError:
            return {}
        return rows[0] if rows else {}

    def alarms(self) -> list[str]:
        """The codes of its alarms."""
        with BusClient(socket_path(self.data, "recorder-0")) as client:
            return [alarm["code"] for alarm in client.request({"op": "stats"}, timeout=10)["alarms"]]

    def rows(self) -> list[Segment]:
        """What it indexed."""
        with self.catalog.read() as conn:
            return segments.between(conn, self.camera, StreamRole.MAIN, 0, 1 << 62)

    def gaps(self) -> list[gaps.Gap]:
        """What it explained."""
        with self.catalog.read() as conn:
            return gaps.between(conn, self.camera, StreamRole.MAIN, 0, 1 << 62)


@contextlib.contextmanager
def recording(data: Path, disk: Path, url: str) -> Iterator[Running]:
    """Record a camera there; ended in good order."""
    catalog = Catalog.open(data)
    volume = Volume.create(disk)
    with catalog.write() as conn:
        sites.ensure(conn)
        volumes.add(conn, 0, volume.uuid, str(disk), floor_bytes=0)
        camera = cameras.add(conn, SecretBox.open(data), 0, cameras.NewCamera("gate", url))
    stop = threading.Event()
    thread = threading.Thread(target=run_recorder, args=(data, 0, lambda: None, stop))
    thread.start()
    running = Running(catalog, camera, data)
    try:
        eventually(lambda: (s := running.stats()) and s.get("last_fragment_ms") and s["pictures"] > 15)
        yield running
    finally:
        stop.set()
        thread.join(30)
        catalog.close()
    assert not thread.is_alive()


def test_a_full_disk_is_said_is_a_gap_and_ends_by_itself(
    tmp_path: Path, small_disk: Path, virtual_cameras: Any
) -> None:
    """Full: live goes on, stats name the disk, what was kept is indexed. Freed: recording is back unasked."""
    with recording(tmp_path, small_disk, virtual_cameras.url("gate")) as running:
        ballast = small_disk / "ballast"
        fill(ballast)
        told = eventually(lambda: (row := running.stats()) and "full" in row["reason"] and row)
        assert (told["state"], told["recording"]) == ("live", False)
        assert "disk_full" in running.alarms()
        ballast.unlink()
        eventually(lambda: running.stats().get("recording") and "full" not in running.stats()["reason"])
        eventually(lambda: (holes := running.gaps()) and holes[0].end_ms is not None)
        (hole, *_), first = running.gaps(), running.rows()[0]
    assert (hole.cause, hole.start_ms) == (GapCause.DISK_FULL, first.end_ms)
    found = list(Volume(small_disk, "").walk())
    assert hole.end_ms == found[1].start_ms


def test_a_disk_that_turns_read_only_is_said_and_recording_is_back_when_it_is_mounted_again(
    tmp_path: Path, failing_disk: FailingDisk, virtual_cameras: Any
) -> None:
    """As ext4 does by itself when the disk fails: live goes on, and there is a gap with the reason. Mounted
    again, recording is back unasked."""
    with recording(tmp_path, failing_disk.path, virtual_cameras.url("gate")) as running:
        failing_disk.fail()
        told = eventually(lambda: (s := running.stats()) and "read-only" in s["reason"].lower() and s)
        assert (told["state"], told["recording"]) == ("live", False)
        failing_disk.mount_again()
        eventually(lambda: running.stats().get("recording"))
        eventually(lambda: (holes := running.gaps()) and holes[-1].end_ms is not None)
        assert {gap.cause for gap in running.gaps()} == {GapCause.DISK_ERROR}
        assert any("read-only" in gap.detail.lower() for gap in running.gaps())
