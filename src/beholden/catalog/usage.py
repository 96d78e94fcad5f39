"""Usage: bytes, length and number of files by camera, day and volume, kept with every change of files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from beholden.catalog.tables import usage_day
from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey

DAY_MS = 86_400_000

_Place = tuple[int, int, int, int]  # camera, stream, day, volume
_PLACE_NAMES = ("p_camera", "p_stream", "p_day", "p_volume")
_REMOVE_EMPTY = delete(usage_day).where(
    usage_day.c.camera == bindparam("p_camera"),
    usage_day.c.stream == bindparam("p_stream"),
    usage_day.c.day == bindparam("p_day"),
    usage_day.c.volume == bindparam("p_volume"),
    usage_day.c.segments <= 0,
)


def _adding(insert: Any) -> Any:
    """Add to the row of a place, or make it."""
    return insert.on_conflict_do_update(
        index_elements=["camera", "stream", "day", "volume"],
        set_={
            name: usage_day.c[name] + insert.excluded[name] for name in ("bytes", "footage_ms", "segments")
        },
    )


_ADD_ON_SQLITE = _adding(sqlite.insert(usage_day))
_ADD_ON_POSTGRESQL = _adding(postgresql.insert(usage_day))


def add(conn: Connection, key: SegmentKey, end_ms: int, size: int, volume: int) -> None:
    """One file more."""
    _change(
        conn, (key.camera, int(key.stream), key.start_ms // DAY_MS, volume), size, end_ms - key.start_ms, 1
    )


def subtract(conn: Connection, rows: Iterable[Any]) -> None:
    """So many files fewer (``key``, ``end_ms``, ``size``, ``volume`` of each)."""
    for (camera, stream, day, volume), group in itertools.groupby(rows, key=_place):
        place, gone = (camera, int(stream), day, volume), list(group)
        length = sum([row.end_ms for row in gone]) - sum([row.key.start_ms for row in gone])
        _change(conn, place, -sum([row.size for row in gone]), -length, -len(gone))
        conn.execute(_REMOVE_EMPTY, dict(zip(_PLACE_NAMES, place, strict=True)))


def _place(row: Any) -> _Place:
    camera, stream, start_ms, _ = row.key
    return camera, stream, start_ms // DAY_MS, row.volume


def bytes_by_volume(conn: Connection) -> dict[int, int]:
    """Bytes of indexed footage on each volume that has any."""
    query = select(usage_day.c.volume, func.sum(usage_day.c.bytes)).group_by(usage_day.c.volume)
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def bytes_by_camera(conn: Connection) -> dict[int, int]:
    """Bytes of indexed footage of each camera that has any."""
    query = select(usage_day.c.camera, func.sum(usage_day.c.bytes)).group_by(usage_day.c.camera)
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def files_by_volume(conn: Connection) -> dict[int, int]:
    """How many files are indexed on each volume that has any."""
    query = select(usage_day.c.volume, func.sum(usage_day.c.segments)).group_by(usage_day.c.volume)
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def files_by_camera(conn: Connection, volume: int) -> dict[int, int]:
    """How many files of each camera are indexed on one volume."""
    query = select(usage_day.c.camera, func.sum(usage_day.c.segments)).where(usage_day.c.volume == volume)
    return {row[0]: int(row[1]) for row in conn.execute(query.group_by(usage_day.c.camera))}


def files_up_to(conn: Connection, last_ms: Mapping[int, int]) -> dict[int, int]:
    """How many files of each volume began on a day that begins by an instant, which is given for each camera:
    at least those that ended by it."""
    query = select(usage_day.c.camera, usage_day.c.day, usage_day.c.volume, usage_day.c.segments)
    found: dict[int, int] = {}
    for camera, day, volume, count in conn.execute(query):
        if day * DAY_MS <= last_ms.get(camera, 0):
            found[volume] = found.get(volume, 0) + int(count)
    return found


def recorded_by_day(conn: Connection) -> dict[int, int]:
    """How many milliseconds of each day are kept of the stream of which most is: at least so much time really
    went by that day."""
    query = select(usage_day.c.day, func.sum(usage_day.c.footage_ms)).group_by(
        usage_day.c.camera, usage_day.c.stream, usage_day.c.day
    )
    found: dict[int, int] = {}
    for day, footage_ms in conn.execute(query):
        found[day] = max(found.get(day, 0), int(footage_ms))
    return found


def streams_on(conn: Connection, volume: int) -> list[tuple[int, StreamRole, int]]:
    """(camera, stream, start of its oldest day in epoch ms) of what lies on a volume."""
    query = (
        select(usage_day.c.camera, usage_day.c.stream, func.min(usage_day.c.day))
        .where(usage_day.c.volume == volume)
        .group_by(usage_day.c.camera, usage_day.c.stream)
    )
    return [(row[0], StreamRole(row[1]), row[2] * DAY_MS) for row in conn.execute(query)]


def _change(
    conn: Connection, place: tuple[int, int, int, int], size: int, length_ms: int, count: int
) -> None:
    camera, stream, day, volume = place
    conn.execute(
        _ADD_ON_POSTGRESQL if conn.dialect.name == "postgresql" else _ADD_ON_SQLITE,
        {
            "camera": camera,
            "stream": stream,
            "day": day,
            "volume": volume,
            "bytes": size,
            "footage_ms": length_ms,
            "segments": count,
        },
    )
