"""Stretches without footage, each with its cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, or_, select, update

from beholden.catalog import journal
from beholden.catalog.tables import camera as camera_table
from beholden.catalog.tables import gap
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause

_CAUSES = {cause.value: cause for cause in GapCause}
_OF_RECORDERS = (GapCause.RECORDER_STOPPED, GapCause.RECORDER_CRASHED)
_ENDED_BEFORE = (
    select(gap.c.start_ms)
    .where(
        gap.c.camera == bindparam("g_camera"),
        gap.c.stream == bindparam("g_stream"),
        gap.c.start_ms < bindparam("g_cutoff_ms"),
        gap.c.end_ms <= bindparam("g_cutoff_ms"),
    )
    .limit(1)
)


class Gap(NamedTuple):
    """One stretch; ``end_ms`` is None while it lasts. A tuple, since a timeline has thousands."""

    camera: int
    stream: StreamRole
    start_ms: int
    end_ms: int | None
    cause: GapCause
    detail: str


def open_gap(conn: Connection, at_ms: int, item: Gap) -> None:
    """Record that footage stopped.

    A gap already open on this stream stays as it is: the first cause counts. Only one that a stop or crash of
    the recorder left ends where a running recorder finds another cause. A removed camera has no gaps.
    """
    if _is_removed(conn, item.camera):
        return
    if item.end_ms is None:
        row = _open_row(conn, item.camera, item.stream)
        if row is not None:
            if row.cause not in _OF_RECORDERS or item.cause in _OF_RECORDERS or item.start_ms <= row.start_ms:
                return
            close_gap(conn, at_ms, item.camera, item.stream, item.start_ms)
    start_ms = item.start_ms
    while conn.execute(
        select(gap.c.start_ms).where(
            gap.c.camera == item.camera, gap.c.stream == int(item.stream), gap.c.start_ms == start_ms
        )
    ).first():
        start_ms += 1  # the key needs a free millisecond
    conn.execute(
        gap.insert().values(
            camera=item.camera,
            stream=int(item.stream),
            start_ms=start_ms,
            end_ms=item.end_ms,
            cause=item.cause.value,
            detail=item.detail,
        )
    )
    body = {
        "stream": int(item.stream),
        "start_ms": start_ms,
        "cause": item.cause.value,
        "detail": item.detail,
    }
    journal.append(conn, at_ms, "gap_opened", item.camera, body)
    if item.end_ms is not None:
        journal.append(conn, at_ms, "gap_closed", item.camera, {**body, "end_ms": item.end_ms})


def add_deleted(conn: Connection, at_ms: int, item: Gap, join_ms: int) -> None:
    """Footage of a closed stretch is gone. A gap of the same cause and detail that it touches grows: deletion
    goes on for weeks, and its single steps are in the journal."""
    if _is_removed(conn, item.camera):
        return
    end_ms = item.end_ms if item.end_ms is not None else item.start_ms
    touching = conn.execute(
        select(gap.c.start_ms, gap.c.end_ms).where(
            gap.c.camera == item.camera,
            gap.c.stream == int(item.stream),
            gap.c.start_ms <= item.start_ms,
            gap.c.end_ms.between(item.start_ms - join_ms, end_ms),
            gap.c.cause == item.cause.value,
            gap.c.detail == item.detail,
        )
    ).first()
    if touching is None:
        open_gap(conn, at_ms, item)
        return
    grown = and_(
        gap.c.camera == item.camera, gap.c.stream == int(item.stream), gap.c.start_ms == touching.start_ms
    )
    conn.execute(update(gap).where(grown).values(end_ms=end_ms))


def any_before(conn: Connection, camera: int, stream: StreamRole, cutoff_ms: int) -> bool:
    """Whether ``forget_before`` has anything to do."""
    where = {"g_camera": camera, "g_stream": int(stream), "g_cutoff_ms": cutoff_ms}
    return conn.execute(_ENDED_BEFORE, where).first() is not None


def forget_before(conn: Connection, camera: int, stream: StreamRole, cutoff_ms: int) -> int:
    """Closed gaps that ended by an instant go: the oldest end of the timeline has moved past them. The
    journal keeps them. Returns how many."""
    old = and_(
        gap.c.camera == camera,
        gap.c.stream == int(stream),
        gap.c.start_ms < cutoff_ms,
        gap.c.end_ms <= cutoff_ms,
    )
    return int(conn.execute(delete(gap).where(old)).rowcount)


def close_gap(conn: Connection, at_ms: int, camera: int, stream: StreamRole, end_ms: int) -> None:
    """Record that footage is back; nothing happens when no gap is open."""
    row = _open_row(conn, camera, stream)
    if row is None:
        return
    end_ms = max(end_ms, row.start_ms)
    conn.execute(
        update(gap)
        .where(gap.c.camera == camera, gap.c.stream == int(stream), gap.c.start_ms == row.start_ms)
        .values(end_ms=end_ms)
    )
    body = {"stream": int(stream), "start_ms": row.start_ms, "end_ms": end_ms, "cause": row.cause}
    journal.append(conn, at_ms, "gap_closed", camera, body)


def between(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> list[Gap]:
    """Gaps that overlap [start_ms, end_ms), in order."""
    return of_cameras(conn, [camera], stream, start_ms, end_ms)[camera]


def of_cameras(
    conn: Connection, cameras: Sequence[int], stream: StreamRole, start_ms: int, end_ms: int
) -> dict[int, list[Gap]]:
    """The same of many cameras in one query."""
    query = (
        select(gap.c.camera, gap.c.start_ms, gap.c.end_ms, gap.c.cause, gap.c.detail)
        .where(
            gap.c.camera.in_(cameras),
            gap.c.stream == int(stream),
            gap.c.start_ms < end_ms,
            or_(gap.c.end_ms.is_(None), gap.c.end_ms > start_ms),
        )
        .order_by(gap.c.camera, gap.c.start_ms)
    )
    found: dict[int, list[Gap]] = {camera: [] for camera in cameras}
    for camera, start, end, cause, detail in conn.execute(query).all():
        found[camera].append(Gap(camera, stream, start, end, _CAUSES[cause], detail))
    return found


def open_of(conn: Connection, camera: int, stream: StreamRole) -> Gap | None:
    """The gap that lasts now, if any."""
    row = _open_row(conn, camera, stream)
    return _gap(row) if row is not None else None


def counts(conn: Connection, stream: StreamRole = StreamRole.MAIN) -> dict[int, int]:
    """How many gaps each camera has, those its recording mode asks for left out."""
    query = (
        select(gap.c.camera, func.count())
        .where(gap.c.stream == int(stream), gap.c.cause != GapCause.RULE_OFF.value)
        .group_by(gap.c.camera)
    )
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def _is_removed(conn: Connection, number: int) -> bool:
    query = select(camera_table.c.id).where(
        camera_table.c.id == number, camera_table.c.removed_ms.is_not(None)
    )
    return conn.execute(query).first() is not None


def _open_row(conn: Connection, camera: int, stream: StreamRole) -> Row[Any] | None:
    query = (
        select(gap)
        .where(gap.c.camera == camera, gap.c.stream == int(stream), gap.c.end_ms.is_(None))
        .order_by(gap.c.start_ms.desc())
    )
    return conn.execute(query).first()


def _gap(row: Row[Any]) -> Gap:
    return Gap(row.camera, StreamRole(row.stream), row.start_ms, row.end_ms, _CAUSES[row.cause], row.detail)
