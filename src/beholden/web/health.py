"""How the site is: problems, storage, roles, cameras; computed at most every two seconds for all who ask."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beholden.catalog import Catalog, CatalogError, segments, sites, volumes
from beholden.catalog.segments import DAY_MS, Kept
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import CameraConfig
from beholden.model.time import Clock
from beholden.store.store import StoreError
from beholden.store.volume import Volume
from beholden.web import problems
from beholden.web.camera_view import Facts, read_facts, state_of
from beholden.web.forecast import Forecast, Promise, Shelf, forecast, promises
from beholden.web.instants import show
from beholden.web.problems import Disk, Problem
from beholden.web.processes import RoleRow, Usage, read_roles, show_roles
from beholden.web.stats import Snapshot, StatsSource

FRESH_SECONDS = 2.0
# Retention works at the floor itself, so being a little under it is how a full disk looks when all is well.
LOW = 0.9
_NOTHING = Kept(None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the health page shows, before it is cut to what an account may see."""

    status: str  # ok | degraded
    problems: list[Problem]
    disks: list[Disk]
    roles: list[RoleRow]
    facts: Facts | None
    snapshot: Snapshot
    promises: Mapping[int, Promise]
    made_ms: int


class Health:
    """Safe to use from several threads; ``report`` blocks for catalog and file systems."""

    def __init__(self, data_dir: Path, catalog: Catalog, stats: StatsSource, clock: Clock) -> None:
        self._data_dir = data_dir
        self._catalog = catalog
        self._stats = stats
        self._clock = clock
        self._usage = Usage()
        self._lock = threading.Lock()
        self._report: Report | None = None
        self._at = float("-inf")

    def report(self) -> Report:
        """The newest report, made again when it is older than two seconds."""
        with self._lock:
            now = self._clock.monotonic()
            if self._report is None or now - self._at >= FRESH_SECONDS:
                self._report, self._at = self._make(), now
            return self._report

    def show(self, report: Report, only: Collection[int] | None) -> dict[str, Any]:
        """As the API shows it: everything for ``only`` None (an administrator), else these cameras."""
        whole = only is None
        shown = [p for p in report.problems if whole or (p.camera is not None and p.camera in (only or ()))]
        return {
            "status": report.status,
            "problems": [
                {"level": p.level, "sentence": p.sentence, "next_step": p.next_step, "camera": p.camera}
                for p in shown
            ],
            "storage": [show_disk(disk) for disk in report.disks] if whole else [],
            "roles": show_roles(report.roles, self._usage, report.snapshot.recorders) if whole else [],
            "cameras": _show_cameras(report, only),
            "detector": dict(report.snapshot.detector) if report.snapshot.detector else None,
        }

    def _make(self) -> Report:
        snapshot, roles = self._stats.latest(), read_roles(self._data_dir)
        now_ms = self._clock.now_ms()
        try:
            facts = read_facts(self._catalog)
            disks = self.disks(facts)
            with self._catalog.read() as conn:
                zone = sites.get(conn).time_zone
        except CatalogError as error:
            trouble = Problem("alarm", error.message, error.next_step)
            return Report("degraded", [trouble], [], roles, None, snapshot, {}, now_ms)
        promised = promises([shelf for disk in disks if (shelf := _shelf(disk))], _recorded(facts))
        found = [
            *problems.of_roles(roles, snapshot, facts.cameras),
            *problems.of_recorders(snapshot),
            *problems.of_disks(disks, facts.cameras),
            *problems.of_promises(promised, facts.cameras, now_ms, zone),
            *problems.of_cameras(facts.cameras, snapshot, now_ms),
            *problems.of_analysis(facts.cameras, snapshot),
        ]
        degraded = any(problem.level == "alarm" for problem in found)
        status = "degraded" if degraded else "ok"
        return Report(status, found, disks, roles, facts, snapshot, promised, now_ms)

    def disks(self, facts: Facts | None = None) -> list[Disk]:
        """Every volume with its file system as it is now. Blocks; CatalogError as the catalog raises."""
        facts = facts or read_facts(self._catalog)
        with self._catalog.read() as conn:
            rows = [(row, segments.bytes_on_volume(conn, row.id)) for row in volumes.all_volumes(conn)]
        disks = [_disk(row, footage) for row, footage in rows]
        shelves = [shelf for disk in disks if (shelf := _shelf(disk))]
        recorded = _recorded(facts)
        return [
            replace(disk, forecast=forecast(shelf, shelves, recorded)) if (shelf := _shelf(disk)) else disk
            for disk in disks
        ]


def _recorded(facts: Facts) -> list[tuple[CameraConfig, Kept]]:
    return [(camera, facts.kept.get(camera.id, _NOTHING)) for camera in facts.cameras]


def _disk(row: VolumeRow, footage: int) -> Disk:
    volume = Volume(Path(row.path), row.uuid)
    unknown = Forecast(None, None)
    try:
        volume.check()
        total, free = volume.total_bytes(), volume.free_bytes()
    except StoreError as error:
        return Disk(row, 0, 0, footage, problems.state_of_disk(error), unknown, error)
    except OSError:
        return Disk(row, 0, 0, footage, "unreadable", unknown)
    return Disk(row, total, free, footage, "low" if free < row.floor_bytes * LOW else "ok", unknown)


def _shelf(disk: Disk) -> Shelf | None:
    usable = disk.state in ("ok", "low")
    return Shelf(disk.volume, disk.footage_bytes, disk.free_bytes) if usable else None


def show_disk(disk: Disk) -> dict[str, Any]:
    """A volume as the API shows it."""
    row = disk.volume
    return {
        "id": row.id,
        "path": row.path,
        "tier": row.tier,
        "floor_bytes": row.floor_bytes,
        "limit_bytes": row.limit_bytes,
        "move_after_days": row.move_after_days,
        "sync_seconds": row.sync_seconds,
        "total_bytes": disk.total_bytes,
        "free_bytes": disk.free_bytes,
        "footage_bytes": disk.footage_bytes,
        "state": disk.state,
        "reason": disk.error.message if disk.error else "",
        "next_step": disk.error.next_step if disk.error else "",
        "kept_days_forecast": _rounded(disk.forecast.kept_days),
        "full_in_days": _rounded(disk.forecast.full_in_days),
    }


def _show_cameras(report: Report, only: Collection[int] | None) -> list[dict[str, Any]]:
    if report.facts is None:
        return []
    shown = []
    for camera in report.facts.cameras:
        if only is not None and camera.id not in only:
            continue
        state = state_of(camera, report.snapshot)
        kept = report.facts.kept.get(camera.id, _NOTHING)
        row = report.snapshot.streams.get((camera.id, "main")) or {}
        promise = report.promises.get(camera.id, Promise(None, None))
        breaks = promise.breaks_in_days
        shown.append(
            {
                "camera": camera.id,
                "name": camera.name,
                "state": state.state.value,
                "last_fragment": show(state.last_fragment_ms),
                "kept_seconds": kept.footage_ms // 1000,
                "bytes": kept.size,
                "gaps": report.facts.gaps.get(camera.id, 0),
                "kbps": row.get("kbps"),
                "keep_days": camera.keep_days,
                "kept_days_forecast": _rounded(promise.kept_days),
                "promise_breaks": None if breaks is None else show(report.made_ms + round(breaks * DAY_MS)),
            }
        )
    return shown


def _rounded(count: float | None) -> float | None:
    return None if count is None else round(count, 1)
