"""What there is of a camera: spans of footage, and gaps with their reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from beholden.catalog import gaps, spans
from beholden.catalog.segments import JOIN_MS
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.time import ticks_to_ms
from beholden.play.footage import Footage

_WORDS = {
    GapCause.CAMERA_LOST: "The camera could not be reached.",
    GapCause.CAMERA_STALLED: "The camera was connected but sent no pictures.",
    GapCause.NETWORK: "The network between recorder and camera was down.",
    GapCause.LOGIN_REFUSED: "The camera refused the user name or password.",
    GapCause.STREAM_UNSUPPORTED: "The camera sent a stream that cannot be recorded.",
    GapCause.DISK_SLOW: "The disk was too slow to keep up.",
    GapCause.DISK_FULL: "The disk was full.",
    GapCause.DISK_ERROR: "The disk reported an error.",
    GapCause.RECORDER_STOPPED: "Recording was stopped with the system.",
    GapCause.RECORDER_CRASHED: "The recorder stopped without warning.",
    GapCause.RECORDING_OFF: "Recording was switched off.",
    GapCause.RULE_OFF: "The camera's recording mode keeps nothing at this time.",
    GapCause.DELETED: "The footage was deleted.",
    GapCause.CLOCK_STEPPED: "The clock was set.",
    GapCause.FILE_MISSING: "A recorded file is no longer on the disk.",
}


class Stretch(NamedTuple):
    """[start_ms, end_ms), epoch milliseconds."""

    start_ms: int
    end_ms: int


class GapStretch(NamedTuple):
    """A stretch without footage and why. ``end_ms`` is None while it lasts."""

    start_ms: int
    end_ms: int | None
    cause: GapCause
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's part of a timeline, in order, not clipped to what was asked."""

    camera: int
    spans: list[Stretch]
    gaps: list[GapStretch]


def lanes(
    conn: Connection, footage: Footage, cameras: Sequence[int], start_ms: int, end_ms: int
) -> list[Lane]:
    """What there is of cameras' main streams in [start_ms, end_ms), the files being written included."""
    kept = spans.of_cameras(conn, cameras, StreamRole.MAIN, start_ms, end_ms)
    lost = gaps.of_cameras(conn, cameras, StreamRole.MAIN, start_ms, end_ms)
    return [
        Lane(
            camera,
            joined([*kept[camera], *_growing(conn, footage, camera, start_ms, end_ms)]),
            [GapStretch(g.start_ms, g.end_ms, g.cause, gap_words(g.cause, g.detail)) for g in lost[camera]],
        )
        for camera in cameras
    ]


def _growing(
    conn: Connection, footage: Footage, camera: int, start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    stretches = [
        (recording.key.start_ms, ticks_to_ms(recording.end))
        for recording in footage.growing(conn, camera, StreamRole.MAIN)
    ]
    return [(start, end) for start, end in stretches if start < end_ms and end > start_ms]


def joined(stretches: list[tuple[int, int]]) -> list[Stretch]:
    """Stretches in order, those that touch or overlap made one."""
    whole: list[Stretch] = []
    for start, end in sorted(stretches):
        if whole and start <= whole[-1].end_ms + JOIN_MS:
            whole[-1] = Stretch(whole[-1].start_ms, max(whole[-1].end_ms, end))
        else:
            whole.append(Stretch(start, end))
    return whole


def gap_words(cause: GapCause, detail: str = "") -> str:
    """Why footage is missing, for a person; of what was deleted or lost, by which rule or by whom."""
    told = cause in (GapCause.DELETED, GapCause.FILE_MISSING)
    return detail if told and detail else _WORDS[cause]
