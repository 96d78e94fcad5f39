"""Cameras over several recorder processes: what happens to one shard happens to no other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from beholden.catalog import Catalog, cameras, gaps, spans
from beholden.catalog.cameras import NewCamera
from beholden.catalog.tables import camera as camera_table
from beholden.demo.rtsp_server import RunningCameras
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.time import SystemClock
from beholden.run import first_start, settings

pytestmark = [pytest.mark.faults, pytest.mark.rtsp]
FAR_MS = 1 << 52


@pytest.fixture
def data(tmp_path: Path, virtual_cameras: RunningCameras) -> Path:
    """Two cameras, not analysed, each in a shard of its own."""
    path = tmp_path / "data"
    site = first_start.prepare(settings.load(data=path), SystemClock())
    with site.catalog.write() as conn:
        for shard, name in enumerate(("gate", "lawn")):
            new = NewCamera(name, virtual_cameras.url(name), analyse="off")
            number = cameras.add(conn, site.box, SystemClock().now_ms(), new)
            conn.execute(update(camera_table).where(camera_table.c.id == number).values(shard=shard))
    site.catalog.close()
    return path


def _shard(system: Any, number: int) -> dict[str, Any]:
    found = [row for row in system.status()["roles"] if (row["role"], row["shard"]) == ("recorder", number)]
    return found[0] if found else {}


def _records(system: Any, since: float = 0.0) -> bool:
    """Whether every camera is live and its newest fragment on the disk ended a second after an instant or
    later. The time is taken first: a busy machine must not make fragments look younger."""
    at = time.time()
    rows = system.status()["cameras"]
    ages = [row["last_fragment_age_seconds"] for row in rows if row["state"] == "live"]
    newest = [at - age for age in ages if age is not None and age < 2]
    return len(newest) == len(rows) and all(end > since + 1 for end in newest)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_shard_that_dies_or_hangs_comes_back_and_costs_no_other(
    data: Path, system_factory: Callable[..., Any], number: int
) -> None:
    """The other keeps its process and one unbroken span; the gap of the one has its cause and ends."""
    system = system_factory(data)
    system.until(lambda: _records(system), "both record")
    victim, other = _shard(system, 1)["pid"], _shard(system, 0)["pid"]
    killed = time.time()
    os.kill(victim, number)
    system.until(lambda: _shard(system, 1).get("pid") not in (None, victim), "it has a new process")
    system.until(lambda: _records(system, killed), "both record again")
    assert (_shard(system, 0)["pid"], _shard(system, 0)["restarts"]) == (other, 0)
    assert _shard(system, 1)["restarts"] == 1
    assert system.stop() == 0
    catalog = Catalog.open_existing(data)
    with catalog.read() as conn:
        assert len(spans.between(conn, 1, StreamRole.MAIN, 0, FAR_MS)) == 1
        (crash, stop) = gaps.between(conn, 2, StreamRole.MAIN, 0, FAR_MS)
        assert (crash.cause, stop.cause) == (GapCause.RECORDER_CRASHED, GapCause.RECORDER_STOPPED)
        assert crash.end_ms is not None
    catalog.close()
