"""Spans: unbroken stretches of kept footage, changed together with the files they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, select, update

from beholden.catalog import marks
from beholden.catalog.tables import segment, span
from beholden.model.camera import StreamRole

# Two segments of one connection meet exactly; rounding to milliseconds may part them by this much.
JOIN_MS = 250


def between(
    conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    """Kept stretches that overlap [start_ms, end_ms), in order, not clipped."""
    return of_cameras(conn, [camera], stream, start_ms, end_ms)[camera]


def of_cameras(
    conn: Connection, cameras: Sequence[int], stream: StreamRole, start_ms: int, end_ms: int
) -> dict[int, list[tuple[int, int]]]:
    """The same of many cameras in one query."""
    query = (
        select(span.c.camera, span.c.start_ms, span.c.end_ms)
        .where(
            span.c.camera.in_(cameras),
            span.c.stream == int(stream),
            span.c.start_ms < end_ms,
            span.c.end_ms > start_ms,
        )
        .order_by(span.c.camera, span.c.start_ms)
    )
    found: dict[int, list[tuple[int, int]]] = {camera: [] for camera in cameras}
    for camera, start, end in conn.execute(query).all():
        found[camera].append((start, end))
    return found


def oldest(conn: Connection, camera: int, stream: StreamRole) -> int | None:
    """When the oldest kept span begins; None when nothing is kept."""
    value = conn.execute(_OLDEST, {"s_camera": camera, "s_stream": int(stream)}).scalar()
    return None if value is None else int(value)


def extend(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> None:
    """Footage was added: what touches it becomes one span with it."""
    place = {"s_camera": camera, "s_stream": int(stream)}
    reach = {"s_from_ms": start_ms - JOIN_MS - 1, "s_to_ms": end_ms + JOIN_MS + 1}
    touching = conn.execute(_REACHING, {**place, **reach}).all()
    if touching:
        start_ms = min(start_ms, *(row.start_ms for row in touching))
        end_ms = max(end_ms, *(row.end_ms for row in touching))
        for row in touching:
            if row.start_ms != start_ms:
                conn.execute(_REMOVE, {**place, "s_start_ms": row.start_ms})
        if any(row.start_ms == start_ms for row in touching):
            conn.execute(_MOVE_END, {**place, "s_start_ms": start_ms, "s_end_ms": end_ms})
            return
    _insert(conn, camera, stream, start_ms, end_ms)


def cut(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> None:
    """Footage of [start_ms, end_ms) is gone: take it out of the spans that hold it."""
    place = {"s_camera": camera, "s_stream": int(stream)}
    for row in conn.execute(_REACHING, {**place, "s_from_ms": start_ms, "s_to_ms": end_ms}).all():
        conn.execute(_REMOVE, {**place, "s_start_ms": row.start_ms})
        if row.start_ms < start_ms - JOIN_MS:
            _insert(conn, camera, stream, row.start_ms, start_ms)
        if row.end_ms > end_ms + JOIN_MS:
            _insert(conn, camera, stream, end_ms, row.end_ms)


def covered(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> bool:
    """Whether a file that stays reaches well into [start_ms, end_ms)."""
    reach = {
        "s_camera": camera,
        "s_stream": int(stream),
        "s_from_ms": start_ms - LONGEST_MS,
        "s_to_ms": max(end_ms - JOIN_MS, start_ms + 1) - 1,
        "s_end_ms": start_ms + JOIN_MS,
    }
    return bool(conn.execute(_STAYS, reach).scalar())


# No file is longer: those that reach into a range begin at most so much before it, which an index can use.
LONGEST_MS = 3_600_000
_IS_THERE = and_(span.c.camera == bindparam("s_camera"), span.c.stream == bindparam("s_stream"))
_OLDEST = select(func.min(span.c.start_ms)).where(_IS_THERE)
_REACHING = select(span.c.start_ms, span.c.end_ms).where(
    _IS_THERE, span.c.start_ms < bindparam("s_to_ms"), span.c.end_ms > bindparam("s_from_ms")
)
_THIS = and_(_IS_THERE, span.c.start_ms == bindparam("s_start_ms"))
_REMOVE = delete(span).where(_THIS)
_MOVE_END = update(span).where(_THIS).values(end_ms=bindparam("s_end_ms"))
_INSERT = span.insert()
_STAYS = select(
    exists().where(
        segment.c.camera == bindparam("s_camera"),
        segment.c.stream == bindparam("s_stream"),
        segment.c.start_ms.between(bindparam("s_from_ms"), bindparam("s_to_ms")),
        segment.c.end_ms > bindparam("s_end_ms"),
        ~marks.IS_MARKED,
    )
)


def _insert(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> None:
    row = {"camera": camera, "stream": int(stream), "start_ms": start_ms, "end_ms": end_ms}
    conn.execute(_INSERT, row)
