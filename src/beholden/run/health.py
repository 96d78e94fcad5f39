"""How everything is: the catalog, the disks, and what running roles say of themselves, in one answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beholden.bus.client import Bus, BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras, gaps, segments, volumes
from beholden.catalog.segments import Kept
from beholden.model.camera import CameraConfig, StreamRole, StreamState
from beholden.model.time import Clock, SystemClock, to_rfc3339
from beholden.run import lock, roles
from beholden.run.roles import RoleReport, RoleState
from beholden.store.volume import Volume

# A fragment comes each second; twice the longest GOP that common cameras are set to is still well.
FRESH_SECONDS = 15.0
_ANSWER_SECONDS = 2.0

Connect = Callable[[Path, str], Bus]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file being written (or left by a crash): not in the catalog yet."""

    start_ms: int
    end_ms: int
    size: int


def connect(data_dir: Path, name: str) -> Bus:
    """The bus of one role; BusError when it does not run."""
    return BusClient(socket_path(data_dir, name), _ANSWER_SECONDS)


def status(data_dir: Path, clock: Clock | None = None, connect: Connect = connect) -> dict[str, Any]:
    """``{"status", "cameras": [...], "roles": [...]}`` as docs/reference/cli.md lists it.

    BeholdenError when there is no catalog; roles that do not answer are told, not raised.
    """
    clock = clock or SystemClock()
    catalog = Catalog.open_existing(data_dir)
    try:
        running = lock.is_running(data_dir)
        with catalog.read() as conn:
            configs = cameras.present(conn, None)
            shards = sorted({0, *cameras.shards(conn)})
            kept = segments.kept(conn)
            counted = gaps.counts(conn)
            places = [Volume(Path(row.path), row.uuid) for row in volumes.all_volumes(conn)]
        streams = _streams(data_dir, shards, connect) if running else {}
        rows = []
        for config in configs:
            files = _open_files(catalog, places, config.id, kept.get(config.id), clock.now_ms())
            row = _camera(config, kept.get(config.id), files, streams.get(config.id), clock.now_ms())
            rows.append({**row, "gaps": counted.get(config.id, 0)})
    finally:
        catalog.close()
    reports = roles.read(data_dir) if running else []
    verdict = _verdict(running, reports, zip(configs, rows, strict=True))
    return {"status": verdict, "cameras": rows, "roles": [asdict(report) for report in reports]}


def _streams(data_dir: Path, shards: Iterable[int], connect: Connect) -> dict[int, Mapping[str, Any]]:
    """What recorders say of each camera's main stream, by camera."""
    found: dict[int, Mapping[str, Any]] = {}
    for shard in shards:
        with contextlib.suppress(BusError), contextlib.closing(connect(data_dir, f"recorder-{shard}")) as bus:
            answer = bus.request({"op": "stats"}, _ANSWER_SECONDS)
            for row in answer.get("streams") or []:
                if row["stream"] == StreamRole.MAIN.name.lower():
                    found[int(row["camera"])] = row
    return found


def _open_files(
    catalog: Catalog, places: Iterable[Volume], camera: int, kept: Kept | None, now_ms: int
) -> list[OpenFile]:
    """Files of a camera's main stream that the catalog does not know yet."""
    after_ms = kept.newest_ms if kept and kept.newest_ms is not None else 0
    found = []
    for place in places:
        for key in place.open_segments(camera, StreamRole.MAIN, max(after_ms - segments.JOIN_MS, 0)):
            with catalog.read() as conn:
                if segments.exists(conn, key):
                    continue
            with contextlib.suppress(OSError):  # closed and deleted meanwhile
                found_at = place.path_of(key).stat()
                end_ms = min(max(int(found_at.st_mtime * 1000), key.start_ms), now_ms)
                found.append(OpenFile(key.start_ms, max(end_ms, key.start_ms), found_at.st_size))
    return found


def _camera(
    config: CameraConfig,
    kept: Kept | None,
    files: list[OpenFile],
    stream: Mapping[str, Any] | None,
    now_ms: int,
) -> dict[str, Any]:
    oldest = [kept.oldest_ms] if kept and kept.oldest_ms is not None else []
    newest = [kept.newest_ms] if kept and kept.newest_ms is not None else []
    oldest += [file.start_ms for file in files]
    newest += [file.end_ms for file in files]
    last_ms = stream.get("last_fragment_ms") if stream else None
    if last_ms is None and newest:
        last_ms = max(newest)
    footage_ms = (kept.footage_ms if kept else 0) + sum(file.end_ms - file.start_ms for file in files)
    state, reason, next_step = _state(config, stream)
    stream = stream or {}
    return {
        "id": config.id,
        "name": config.name,
        "state": state,
        "reason": reason,
        "next_step": next_step,
        "last_fragment_age_seconds": None if last_ms is None else max(now_ms - last_ms, 0) / 1000,
        "resting": bool(stream.get("resting")),
        "memory_bytes": int(stream.get("memory_bytes") or 0),
        "memory_limit_bytes": stream.get("memory_limit_bytes"),
        "kept_seconds": round(footage_ms / 1000, 3),
        "bytes": (kept.size if kept else 0) + sum(file.size for file in files),
        "oldest": to_rfc3339(min(oldest)) if oldest else None,
        "newest": to_rfc3339(max(newest)) if newest else None,
    }


def _state(config: CameraConfig, stream: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if not config.enabled:
        return (
            StreamState.STOPPED.value,
            "The camera is switched off.",
            f"beholden camera change {config.id} --on",
        )
    if stream is None:
        return StreamState.STOPPED.value, "The recorder does not run.", "Start it with `beholden run`."
    return str(stream["state"]), str(stream.get("reason") or ""), str(stream.get("next_step") or "")


def _verdict(
    running: bool, reports: list[RoleReport], rows: Iterable[tuple[CameraConfig, dict[str, Any]]]
) -> str:
    if not running:
        return "stopped"
    well = all(report.state is RoleState.RUNNING for report in reports) and bool(reports)
    for config, row in rows:
        if not config.enabled:
            continue
        age = row["last_fragment_age_seconds"]
        fresh = not config.record or row["resting"] or (age is not None and age < FRESH_SECONDS)
        # A camera may be live and yet not kept: then its row says why.
        well = well and row["state"] == StreamState.LIVE and fresh and not row["reason"]
    return "ok" if well else "degraded"
