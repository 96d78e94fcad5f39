"""A camera as the API shows it: settings, state, streams, analysis, and what is kept. Never a password."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from beholden.catalog import Catalog, cameras, gaps, segments
from beholden.catalog.segments import Kept
from beholden.model.camera import CameraConfig, StreamAddress, StreamState
from beholden.model.time import to_rfc3339
from beholden.web.instants import show
from beholden.web.stats import Row, Snapshot

if TYPE_CHECKING:  # the context holds the health report, which is made of these
    from beholden.web.context import Context

Answer = dict[str, Any]

_STREAM_FIELDS = (
    "state", "reason", "next_step", "codec", "audio_codec", "width", "height", "fps", "gop_seconds", "kbps",
    "lost_packets", "reconnects", "clock_offset_ms", "live_codec", "resting", "memory_bytes",
    "memory_limit_bytes",
)  # fmt: skip
_NOTHING_KEPT = Kept(None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalog says of all cameras, read in one go."""

    cameras: list[CameraConfig]
    with_password: Collection[int]
    kept: Mapping[int, Kept]
    gaps: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class State:
    """What a person is told a camera is doing now."""

    state: StreamState
    reason: str
    next_step: str
    since_ms: int | None
    last_fragment_ms: int | None


def read_facts(catalog: Catalog) -> Facts:
    """Read them. Blocks."""
    with catalog.read() as conn:
        return Facts(
            cameras.present(conn, None), cameras.has_password(conn), segments.kept(conn), gaps.counts(conn)
        )


def show_all(ctx: Context, only: Collection[int] | None = None) -> list[Answer]:
    """The cameras as the API shows them, by id. Blocks."""
    facts = read_facts(ctx.catalog)
    snapshot, now = ctx.stats.latest(), ctx.clock.now_ms()
    return [
        show_camera(camera, facts, snapshot, now)
        for camera in facts.cameras
        if only is None or camera.id in only
    ]


def show_camera(camera: CameraConfig, facts: Facts, snapshot: Snapshot, now_ms: int) -> Answer:
    """One camera."""
    has_password = camera.id in facts.with_password
    return {
        "id": camera.id,
        "name": camera.name,
        "enabled": camera.enabled,
        "record": camera.record,
        "record_audio": camera.record_audio,
        "analyse": camera.analyse,
        "transport": camera.main.transport.value,
        "certificate": camera.main.certificate,
        "mode": camera.mode.value,
        "pre_seconds": camera.pre_seconds,
        "post_seconds": camera.post_seconds,
        "windows": [asdict(window) for window in camera.windows],
        "keep_days": camera.keep_days,
        "keep_event_days": camera.keep_event_days,
        "max_days": camera.max_days,
        "max_bytes": camera.max_bytes,
        "memory_bytes": camera.memory_bytes,
        "listen": camera.listen,
        "detect_main": camera.detect_main,
        "main": _address(camera.main, has_password),
        "sub": _address(camera.sub, has_password) if camera.sub else None,
        "created": to_rfc3339(camera.created_ms),
        "state": _show_state(state_of(camera, snapshot), now_ms),
        "streams": {
            "main": _stream(snapshot.streams.get((camera.id, "main"))),
            "sub": _stream(snapshot.streams.get((camera.id, "sub"))),
        },
        "analysis": _analysis(snapshot.analysis.get(camera.id)),
        "kept": _kept(facts.kept.get(camera.id, _NOTHING_KEPT), facts.gaps.get(camera.id, 0)),
    }


def state_of(camera: CameraConfig, snapshot: Snapshot) -> State:
    """The state of its main stream, or why there is none."""
    if not camera.enabled:
        return State(StreamState.STOPPED, "It is switched off.", "Switch it on in its settings.", None, None)
    row = snapshot.streams.get((camera.id, "main"))
    if row is not None:
        return State(
            StreamState(row["state"]),
            row.get("reason") or "",
            row.get("next_step") or "",
            row.get("since_ms"),
            row.get("last_fragment_ms"),
        )
    if camera.shard in snapshot.recorders:
        return State(StreamState.CONNECTING, "The recorder is about to start it.", "", None, None)
    return State(
        StreamState.STOPPED,
        "The recorder does not answer.",
        "It is started again by itself; if this stays, look at the health page.",
        None,
        None,
    )


def _show_state(state: State, now_ms: int) -> Answer:
    age = None if state.last_fragment_ms is None else max(0.0, (now_ms - state.last_fragment_ms) / 1000)
    return {
        "state": state.state.value,
        "reason": state.reason,
        "next_step": state.next_step,
        "since": show(state.since_ms),
        "last_fragment": show(state.last_fragment_ms),
        "fragment_age_seconds": age if age is None else round(age, 1),
    }


def _address(address: StreamAddress, has_password: bool) -> Answer:
    return {"url": address.url, "username": address.username, "has_password": has_password}


def _stream(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {name: row.get(name) for name in _STREAM_FIELDS}


def _analysis(row: Row | None) -> Answer | None:
    return None if row is None else {name: row.get(name) for name in ("mode", "state", "reason")}


def _kept(kept: Kept, gap_count: int) -> Answer:
    return {
        "oldest": show(kept.oldest_ms),
        "newest": show(kept.newest_ms),
        "seconds": kept.footage_ms // 1000,
        "bytes": kept.size,
        "gaps": gap_count,
    }
