"""kill -9 of every kind of process, again and again, while cameras send: sent and kept are compared by the
number burnt into every picture."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.catalog import Catalog, cameras, gaps, segments
from beholden.catalog.cameras import NewCamera
from beholden.demo.camera import VirtualCamera
from beholden.demo.delivery import SentPicture
from beholden.demo.synthetic import read_frame_number
from beholden.model.camera import StreamRole
from beholden.model.time import SystemClock
from beholden.record.outage import TOLERATED_MS
from beholden.run import first_start, settings
from beholden.run.check import Depth, Tally, check

pytestmark = [pytest.mark.faults, pytest.mark.rtsp]
FAR_MS = 1 << 52
NAMES = ("short", "long")
# An open fragment is a second at most; the rest is for a machine that is busy.
MOST_LOST_MS = 2500


def _prepared(path: Path, urls: list[str]) -> Path:
    site = first_start.prepare(settings.load(data=path), SystemClock())
    with site.catalog.write() as conn:
        for name, url in zip(NAMES, urls, strict=True):
            cameras.add(conn, site.box, SystemClock().now_ms(), NewCamera(name, url, analyse="off"))
    site.catalog.close()
    return path


def _records(system: Any) -> bool:
    rows = system.status()["cameras"]
    return all(row["state"] == "live" and (row["last_fragment_age_seconds"] or 99) < 2 for row in rows)


def _numbers(path: Path) -> list[int | None]:
    with av.open(str(path)) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def _rows(data: Path, camera: int) -> tuple[list[segments.Segment], list[gaps.Gap]]:
    catalog = Catalog.open_existing(data)
    with catalog.read() as conn:
        found = (
            segments.between(conn, camera, StreamRole.MAIN, 0, FAR_MS),
            gaps.between(conn, camera, StreamRole.MAIN, 0, FAR_MS),
        )
    catalog.close()
    return found


def _losses(sent: list[SentPicture], files: list[list[int | None]]) -> list[tuple[int, int]]:
    """(last kept, next kept) as indices into what was sent, wherever something between is missing."""
    numbers: list[int | None] = [picture.number for picture in sent]
    missing, at = [], 0
    for file in files:
        found = next((i for i in range(at, len(numbers)) if numbers[i : i + len(file)] == file), None)
        assert found is not None, "pictures that were never sent in this order"
        if found > at:
            missing.append((at - 1, found))
        at = found + len(file)
    return missing


def test_killing_everything_at_random_loses_open_fragments_and_nothing_else(
    tmp_path: Path, camera_factory: Any, clip_factory: Any, system_factory: Callable[..., Any]
) -> None:
    """Recorders, web, analyser and the whole system die at random moments. Every file stays whole; every hole
    has a cause; each death costs at most the open fragment, with short GOPs and with long ones."""
    clips = [clip_factory(seconds=6, gop=10), clip_factory(seconds=6, gop=60)]
    server = camera_factory([VirtualCamera(name, clip) for name, clip in zip(NAMES, clips, strict=True)])
    data = _prepared(tmp_path / "data", [server.url(name) for name in NAMES])
    system, kills = system_factory(data), []
    for victim in ("recorder", "web", "system", "recorder", "analyser"):
        system.until(lambda system=system: _records(system), "it records")
        time.sleep(random.uniform(0.5, 2.5))
        at_ms = SystemClock().now_ms()
        if victim == "system":
            system.process.kill()
            system.process.wait()
            system.until(lambda system=system: not system.processes(), "no process is left")
            system = system_factory(data)
        else:
            os.kill(system.role(victim)["pid"], signal.SIGKILL)
        if victim in ("recorder", "system"):
            kills.append(at_ms)
    system.until(lambda: _records(system), "it records")
    assert system.stop() == 0
    catalog = Catalog.open_existing(data)
    assert list(check(catalog, Depth.HASH, SystemClock().now_ms(), Tally())) == []
    catalog.close()
    for camera, name in enumerate(NAMES, 1):
        rows, told = _rows(data, camera)
        sent = server.sent_pictures(name)
        missing = _losses(sent, [_numbers(data / "footage" / row.key.path()) for row in rows])
        assert len(missing) <= len(kills), "pictures are missing where nothing died"
        for last, _ in missing:
            killed = min((kill for kill in kills if kill >= sent[last].at_ms - 500), default=0)
            assert killed - sent[last].at_ms < MOST_LOST_MS
        for one, other in itertools.pairwise(rows):
            hole = one.end_ms + TOLERATED_MS, other.key.start_ms - TOLERATED_MS
            causes = [gap for gap in told if gap.start_ms <= hole[0] and (gap.end_ms or FAR_MS) >= hole[1]]
            assert hole[0] >= hole[1] or causes, "a hole without a cause"
