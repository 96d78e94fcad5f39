"""How the site is: problems, storage, roles, cameras; computed at most every two seconds for all who ask."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beholden.catalog import Catalog, CatalogError, segments, volumes
from beholden.catalog.segments import Kept
from beholden.catalog.volumes import VolumeRow
from beholden.model.time import Clock
from beholden.web import problems
from beholden.web.camera_view import Facts, read_facts, state_of
from beholden.web.forecast import forecast
from beholden.web.instants import show
from beholden.web.problems import Disk, Problem
from beholden.web.processes import RoleRow, Usage, read_roles, show_roles
from beholden.web.stats import Snapshot, StatsSource

FRESH_SECONDS = 2.0
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
            "storage": [_show_disk(disk) for disk in report.disks] if whole else [],
            "roles": show_roles(report.roles, self._usage) if whole else [],
            "cameras": _show_cameras(report, only),
            "detector": dict(report.snapshot.detector) if report.snapshot.detector else None,
        }

    def _make(self) -> Report:
        snapshot, roles = self._stats.latest(), read_roles(self._data_dir)
        try:
            facts = read_facts(self._catalog)
            disks = self._disks(facts)
        except CatalogError as error:
            trouble = Problem("alarm", error.message, error.next_step)
            return Report("degraded", [trouble], [], roles, None, snapshot)
        found = [
            *problems.of_roles(roles, snapshot, facts.cameras),
            *problems.of_recorders(snapshot),
            *problems.of_disks(disks, facts.cameras),
            *problems.of_cameras(facts.cameras, snapshot, self._clock.now_ms()),
        ]
        degraded = any(problem.level == "alarm" for problem in found)
        return Report("degraded" if degraded else "ok", found, disks, roles, facts, snapshot)

    def _disks(self, facts: Facts) -> list[Disk]:
        with self._catalog.read() as conn:
            rows = [(row, segments.bytes_on_volume(conn, row.id)) for row in volumes.all_volumes(conn)]
        return [_disk(row, footage, facts) for row, footage in rows]


def _disk(row: VolumeRow, footage: int, facts: Facts) -> Disk:
    kept = [(camera, facts.kept.get(camera.id, _NOTHING)) for camera in facts.cameras]
    try:
        usage = shutil.disk_usage(row.path)
    except OSError:
        return Disk(row, 0, 0, footage, "missing", forecast(footage, 0, 0, []))
    state: Literal["ok", "low"] = "low" if usage.free < row.floor_bytes else "ok"
    expected = forecast(footage, usage.free, row.floor_bytes, kept)
    return Disk(row, usage.total, usage.free, footage, state, expected)


def _show_disk(disk: Disk) -> dict[str, Any]:
    return {
        "path": disk.volume.path,
        "total_bytes": disk.total_bytes,
        "free_bytes": disk.free_bytes,
        "footage_bytes": disk.footage_bytes,
        "state": disk.state,
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
            }
        )
    return shown


def _rounded(count: float | None) -> float | None:
    return None if count is None else round(count, 1)
