"""What is wrong, each in a sentence with the next step. Pure: facts in, problems out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from beholden.catalog.segments import DAY_MS
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import CameraConfig, StreamState
from beholden.model.time import from_ms
from beholden.store.store import StoreError
from beholden.web.camera_view import state_of
from beholden.web.forecast import Forecast, Promise
from beholden.web.processes import RoleRow
from beholden.web.stats import Snapshot

# A camera that has just been added or has lost its network for a moment is not a problem yet.
PATIENCE_MS = 15_000
CLOCK_SLACK_MS = 5_000
_NOW_DAYS = 0.05
_FEW = 3  # cameras whose broken promises are told one by one

DiskState = Literal["ok", "low", "missing", "swapped", "read_only", "unreadable"]
_STATES: dict[str, DiskState] = {
    "volume_missing": "missing",
    "volume_swapped": "swapped",
    "volume_read_only": "read_only",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An alarm means footage or analysis is being missed now; a warning that it will be."""

    level: Literal["alarm", "warning"]
    sentence: str
    next_step: str
    camera: int | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """A volume and its file system. ``state``: ok, low (under the floor), or why it cannot be used, which
    ``error`` says in a sentence."""

    volume: VolumeRow
    total_bytes: int
    free_bytes: int
    footage_bytes: int
    state: DiskState
    forecast: Forecast
    error: StoreError | None = None


def state_of_disk(error: StoreError) -> DiskState:
    """In a word, for the API."""
    return _STATES.get(error.code, "unreadable")


def of_roles(
    roles: Sequence[RoleRow], snapshot: Snapshot, cameras: Sequence[CameraConfig]
) -> Iterable[Problem]:
    """Roles that do not run, by the supervisor's word or by their own silence."""
    silent = {
        (f"recorder {shard}", "Its cameras are not being recorded.")
        for shard in {camera.shard for camera in cameras if camera.enabled}
        if shard not in snapshot.recorders
    }
    analysed = any(camera.enabled and camera.analyse != "off" for camera in cameras)
    if analysed and snapshot.analyser is None:
        silent.add(("analyser", "No events are found; recording goes on."))
    told = {role.name: role for role in roles}
    for name, consequence in sorted(silent):
        role = told.get(name)
        reason = f" ({role.reason.rstrip('.')})" if role is not None and role.reason else ""
        yield Problem(
            "alarm",
            f"The {name} does not answer{reason}. {consequence}",
            "It is started again by itself; if this stays, the log says why.",
        )
    for role in roles:
        if role.state == "waiting" and role.name not in dict(silent):
            yield Problem(
                "alarm",
                f"The {role.name} stops again and again: {role.reason or 'no reason is known'}.",
                "The log says why.",
            )


def of_recorders(snapshot: Snapshot) -> Iterable[Problem]:
    """What recorders themselves raise an alarm about (disks, retention), each once."""
    told = {(row.get("message") or "", row.get("next_step") or "") for row in snapshot.alarms}
    for message, next_step in sorted(told):
        yield Problem("alarm", message, next_step)


def of_cameras(cameras: Sequence[CameraConfig], snapshot: Snapshot, now_ms: int) -> Iterable[Problem]:
    """Cameras that should deliver and do not, and clocks that are off."""
    for camera in cameras:
        # A silent recorder is one problem of its own, not one for each of its cameras.
        if not camera.enabled or camera.shard not in snapshot.recorders:
            continue
        state = state_of(camera, snapshot)
        fresh = state.since_ms is None or now_ms - state.since_ms < PATIENCE_MS
        if state.state is not StreamState.LIVE and not (state.state is StreamState.CONNECTING and fresh):
            reason = state.reason or f"It is {state.state.value}."
            yield Problem("alarm", f"{camera.name}: {reason}", state.next_step, camera.id)
        row = snapshot.streams.get((camera.id, "main")) or {}
        offset = row.get("clock_offset_ms")
        if offset is not None and abs(offset) > CLOCK_SLACK_MS:
            yield Problem(
                "warning",
                f"{camera.name}: its clock is {abs(offset) / 1000:.0f} s "
                f"{'ahead' if offset > 0 else 'behind'}, so its burnt-in time is wrong.",
                "Set its clock, best by NTP. Recordings carry the right time.",
                camera.id,
            )


def of_analysis(cameras: Sequence[CameraConfig], snapshot: Snapshot) -> Iterable[Problem]:
    """Cameras of which less is seen than was asked for. Recording is not touched by it."""
    for camera in cameras:
        row = snapshot.analysis.get(camera.id) or {}
        if row.get("state") == "overloaded":
            yield Problem(
                "warning",
                f"{camera.name}: the CPU is short, so only its keyframes are analysed for now.",
                "It recovers by itself. If it returns, give it a smaller sub stream.",
                camera.id,
            )
        elif row.get("state") == "quarantined":
            yield Problem(
                "warning",
                f"{camera.name}: {row.get('reason') or 'It is not analysed for now.'}",
                "It is recorded as ever. Restart the camera, or choose another codec for its sub stream.",
                camera.id,
            )


def of_disks(disks: Iterable[Disk], cameras: Sequence[CameraConfig]) -> Iterable[Problem]:
    """Storage that is gone, nearly full, or too small for what is promised."""
    promised = max((camera.keep_days for camera in cameras if camera.enabled), default=0.0)
    for disk in disks:
        path = disk.volume.path
        if disk.error is not None:
            yield Problem("alarm", disk.error.message, disk.error.next_step)
        elif disk.state not in ("ok", "low"):
            yield Problem("alarm", f"The storage {path} is not there.", "Mount its disk, or restore it.")
        elif disk.state == "low":
            yield Problem(
                "alarm",
                f"The storage {path} has {gigabytes(disk.free_bytes)} free, less than the "
                f"{gigabytes(disk.volume.floor_bytes)} to be kept free; the oldest footage is deleted early.",
                "Free space on that disk, or keep footage for fewer days.",
            )
        elif disk.forecast.full_in_days is not None and disk.forecast.kept_days is not None:
            yield Problem(
                "warning",
                f"The storage {path} {_full_in(disk.forecast.full_in_days)}: it holds "
                f"about {days(disk.forecast.kept_days)} of footage, and {days(promised)} are to be kept.",
                "Add space, keep footage for fewer days, or lower the cameras' bit rates.",
            )


def of_promises(
    promises: Mapping[int, Promise], cameras: Sequence[CameraConfig], now_ms: int, zone: str
) -> Iterable[Problem]:
    """Cameras whose days will not be kept, told before it comes to that; many at once in one sentence."""
    broken = [
        (camera, promise, promise.breaks_in_days)
        for camera in cameras
        if (promise := promises.get(camera.id)) is not None and promise.breaks_in_days is not None
    ]
    advice = "Add storage, keep footage for fewer days, or lower the bit rate."
    if len(broken) <= _FEW:
        for camera, promise, breaks in broken:
            words = f"The promise of {days(camera.keep_days)} {_breaks(breaks, now_ms, zone)}"
            fits = f"about {days(promise.kept_days or 0)} fit"
            yield Problem("warning", f"{camera.name}: {words}: {fits}.", advice, camera.id)
        return
    most = max(camera.keep_days for camera, _, _ in broken)
    fewest = min(promise.kept_days or 0 for _, promise, _ in broken)
    words = _breaks(min(breaks for _, _, breaks in broken), now_ms, zone)
    sentence = (
        f"The promise of up to {days(most)} {words} for {len(broken)} cameras: about {days(fewest)} fit."
    )
    yield Problem("warning", sentence, advice)


def _full_in(count: float) -> str:
    return f"will be full in about {days(count)}" if count >= _NOW_DAYS else "is full"


def _breaks(in_days: float, now_ms: int, zone: str) -> str:
    if in_days < _NOW_DAYS:
        return "is broken now"
    when = from_ms(now_ms + round(in_days * DAY_MS)).astimezone(ZoneInfo(zone))
    return f"breaks on {when:%Y-%m-%d}"


def gigabytes(count: int) -> str:
    """``2.0 GB``."""
    return f"{count / 1e9:.1f} GB"


def days(count: float) -> str:
    """``1 day``, ``3.5 days``, ``14 days``."""
    text = f"{count:.1f}" if count < 10 and round(count, 1) != round(count) else f"{count:.0f}"
    return f"{text} {'day' if text == '1' else 'days'}"
