"""Many cameras with the usual mix, four fifths of them quiet, recorded and watched by `beholden run`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import cameras
from beholden.demo import places
from beholden.demo.synthetic import synthetic_clip
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from benchmarks.seeing import virtual_cameras
from benchmarks.system import System, until

_WARM_UP_SECONDS = 60.0  # until what the detector may save up at first and the first vain looks are over
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Mix:
    """``cpu_seconds`` for each camera and minute, all processes; the oldest queue; lost packets."""

    cpu_seconds: float
    queue_ms: int
    lost: int
    states: dict[str, int]


def measure(folder: Path, quiet: Path, busy: Path, count: int, seconds: float) -> Mix:
    """Run them. BeholdenError when the site does not start."""
    main = synthetic_clip(places.cache() / "bench", 1920, 1080, 15, 10, gop=30, bitrate=3_000_000, noise=2)
    calm = round(count * 0.8)
    clips = {f"camera {n + 1}": (main, quiet if n < calm else busy) for n in range(count)}
    with virtual_cameras({name: f"{pair[0]},{pair[1]}" for name, pair in clips.items()}) as (urls, _):
        _add(folder, urls)
        system = System(folder)
        try:
            until(lambda: len(_seen(folder)) == count, "every camera is seen")
            time.sleep(_WARM_UP_SECONDS)
            return _measure(system, folder, count, seconds)
        finally:
            system.stop()


def _measure(system: System, folder: Path, count: int, seconds: float) -> Mix:
    processes = list(_processes(system))
    began, before = time.monotonic(), _cpu(processes)
    oldest = 0
    while time.monotonic() - began < seconds:
        time.sleep(_LOOK_SECONDS)
        oldest = max([oldest, *(row["queue_ms"] for row in _seen(folder))])
    minutes = (time.monotonic() - began) / 60
    spent = _cpu(processes) - before
    states: dict[str, int] = {}
    for row in _seen(folder):
        states[row["state"]] = states.get(row["state"], 0) + 1
    lost = sum(row["lost_packets"] for each in system.stats() for row in each["streams"])
    return Mix(spent / minutes / count, oldest, lost, states)


def _add(folder: Path, urls: dict[str, tuple[str, str]]) -> None:
    site = first_start.prepare(settings.load(data=folder), SystemClock())
    with contextlib.closing(site.catalog), site.catalog.write() as conn:
        for name, (main, sub) in urls.items():
            new = cameras.NewCamera(name, main, sub_url=sub)
            cameras.add(conn, site.box, SystemClock().now_ms(), new)


def _seen(folder: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(BusError), BusClient(socket_path(folder, "analyser")) as bus:
        rows: list[dict[str, Any]] = bus.request({"op": "stats"})["cameras"]
        return [row for row in rows if row["last_frame_ms"]]
    return []


def _processes(system: System) -> Iterator[psutil.Process]:
    top = psutil.Process(system.process.pid)
    yield top
    yield from top.children(recursive=True)


def _cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    return total
