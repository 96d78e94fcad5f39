"""kill -9 of what records, while it records: at most the open fragment is lost, and told as a gap."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog, cameras, gaps, segments, spans
from beholden.catalog.cameras import NewCamera
from beholden.catalog.segments import Segment
from beholden.demo.rtsp_server import RunningCameras
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from beholden.run.check import Depth, Tally, check

pytestmark = [pytest.mark.faults, pytest.mark.rtsp]

FAR_MS = 1 << 52
# One fragment a second, and the picture that was on its way.
OPEN_FRAGMENT_MS = 2500


@pytest.fixture
def data(tmp_path: Path, virtual_cameras: RunningCameras) -> Path:
    """A data directory with one camera, not analysed."""
    path = tmp_path / "data"
    site = first_start.prepare(settings.load(data=path), SystemClock())
    with site.catalog.write() as conn:
        new = NewCamera("gate", virtual_cameras.url("gate"), analyse="off")
        cameras.add(conn, site.box, SystemClock().now_ms(), new)
    site.catalog.close()
    return path


def _segments(data: Path) -> list[Segment]:
    catalog = Catalog.open_existing(data)
    with catalog.read() as conn:
        found = segments.between(conn, 1, StreamRole.MAIN, 0, FAR_MS)
    catalog.close()
    return found


def _causes(data: Path) -> list[GapCause]:
    catalog = Catalog.open_existing(data)
    with catalog.read() as conn:
        found = gaps.between(conn, 1, StreamRole.MAIN, 0, FAR_MS)
    catalog.close()
    return [gap.cause for gap in found]


def _faults(data: Path) -> list[Any]:
    catalog = Catalog.open_existing(data)
    found = list(check(catalog, Depth.HASH, SystemClock().now_ms(), Tally()))
    catalog.close()
    return found


def _records(system: Any) -> bool:
    row = system.camera("gate")
    return row["state"] == "live" and row["kept_seconds"] > 4


def test_a_killed_recorder_loses_at_most_the_open_fragment(
    data: Path, system_factory: Callable[..., Any]
) -> None:
    """The file it wrote is indexed whole by the next process, the gap has its cause, and the rest of the
    system keeps its processes."""
    system = system_factory(data)
    system.until(lambda: _records(system), "it records")
    web = system.role("web")["pid"]
    last_ms = SystemClock().now_ms() - 1000 * system.camera("gate")["last_fragment_age_seconds"]
    killed_at = time.time() * 1000
    os.kill(system.role("recorder")["pid"], signal.SIGKILL)
    system.until(lambda: any(item.repaired for item in _segments(data)), "the file is indexed")
    repaired = [item for item in _segments(data) if item.repaired]
    assert len(repaired) == 1
    # An arrival is up to a tick of 100 ms later than its picture's time, and ages are told in tenths.
    assert repaired[0].end_ms >= last_ms - 250
    assert repaired[0].end_ms >= killed_at - OPEN_FRAGMENT_MS
    system.until(lambda: system.camera("gate")["state"] == "live", "it records again")
    system.until(lambda: GapCause.RECORDER_CRASHED in _causes(data), "the gap is told")
    assert system.role("recorder")["restarts"] == 1
    assert system.role("web")["pid"] == web
    assert system.stop() == 0
    assert _faults(data) == []


def test_a_killed_system_is_repaired_at_the_next_start(
    data: Path, system_factory: Callable[..., Any]
) -> None:
    """kill -9 of the supervisor ends everything; the next start indexes what lies there."""
    system = system_factory(data)
    system.until(lambda: _records(system), "it records")
    last_ms = SystemClock().now_ms() - 1000 * system.camera("gate")["last_fragment_age_seconds"]
    system.process.kill()
    system.process.wait()
    system.until(lambda: not system.processes(), "no process is left")
    assert system.status()["status"] == "stopped"
    assert system.camera("gate")["kept_seconds"] > 4
    assert _segments(data) == []
    again = system_factory(data)
    again.until(lambda: any(item.repaired for item in _segments(data)), "the file is indexed")
    (repaired,) = [item for item in _segments(data) if item.repaired]
    assert repaired.end_ms >= last_ms
    again.until(lambda: _records(again), "it records again")
    assert again.stop() == 0
    assert GapCause.RECORDER_CRASHED in _causes(data)
    assert _faults(data) == []


def test_an_orderly_stop_loses_nothing(data: Path, system_factory: Callable[..., Any]) -> None:
    """The open file is closed and indexed by the recorder itself, within the time a stop may take."""
    system = system_factory(data)
    system.until(lambda: _records(system), "it records")
    assert system.stop() == 0
    assert system.processes() == []
    found = _segments(data)
    assert found
    assert not any(item.repaired for item in found)
    assert _faults(data) == []
    assert system.camera("gate")["kept_seconds"] > 4


def test_a_killed_analyser_or_web_role_stops_no_recording(
    data: Path, system_factory: Callable[..., Any]
) -> None:
    """Nothing downstream touches the recorder: one unbroken span over both deaths."""
    system = system_factory(data)
    system.until(lambda: _records(system), "it records")
    recorder = system.role("recorder")["pid"]
    for name in ("analyser", "web"):
        system.until(lambda name=name: system.role(name)["pid"], f"{name} has a process")
        pid = system.role(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        system.until(
            lambda name=name, pid=pid: system.role(name)["pid"] not in (None, pid), f"{name} is back"
        )
    assert system.role("recorder")["pid"] == recorder
    assert system.stop() == 0
    catalog = Catalog.open_existing(data)
    with catalog.read() as conn:
        assert len(spans.between(conn, 1, StreamRole.MAIN, 0, FAR_MS)) == 1
    catalog.close()


def test_a_camera_added_or_removed_while_running_touches_no_other(
    data: Path, virtual_cameras: RunningCameras, system_factory: Callable[..., Any]
) -> None:
    """The change takes effect by itself and the first camera's footage stays unbroken."""
    system = system_factory(data)
    system.until(lambda: _records(system), "it records")
    site = first_start.prepare(settings.load(data=data), SystemClock())
    with site.catalog.write() as conn:
        new = NewCamera("lawn", virtual_cameras.url("lawn"), analyse="off")
        added = cameras.add(conn, site.box, SystemClock().now_ms(), new)
    system.until(lambda: system.camera("lawn")["kept_seconds"] > 1, "the new one records")
    with site.catalog.write() as conn:
        cameras.remove(conn, SystemClock().now_ms(), added, delete_footage=True)
    folder = data / "footage" / f"cam-{added}"
    system.until(lambda: not list(folder.rglob("*.mp4")), "its footage is deleted", 120)
    assert system.role("recorder")["restarts"] == 0
    assert system.stop() == 0
    with site.catalog.read() as conn:
        assert len(spans.between(conn, 1, StreamRole.MAIN, 0, FAR_MS)) == 1
    site.catalog.close()
