"""Recorded files: rows, spans and day roll-ups, always changed together and journalled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Row, and_, bindparam, func, select, tuple_, update

from beholden.catalog import journal, marks, spans, usage
from beholden.catalog.tables import media_format, segment, span, usage_day
from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey

DAY_MS = usage.DAY_MS
JOIN_MS = spans.JOIN_MS
_ROLES = tuple(StreamRole)
# Spans of a stream do not overlap, so the last that begins is the last that ends.
_NEWEST_END = (
    select(span.c.end_ms)
    .where(span.c.camera == bindparam("n_camera"), span.c.stream == bindparam("n_stream"))
    .order_by(span.c.start_ms.desc())
    .limit(1)
)
_LEAVES = marks.IS_MARKED.label("leaves")
_INSERT = segment.insert()


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """An init segment and what it says. ``id`` is 0 before it is stored."""

    id: int
    init: bytes
    video_codec: str
    video_codec_string: str
    width: int
    height: int
    audio_codec: str | None
    audio_codec_string: str | None
    audio_rate: int | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One closed, indexed file. ``fragments`` is packed (model.segment); the first fragment begins at
    ``len(format.init)``. ``leaves``: marked for deletion, and not to be played."""

    key: SegmentKey
    end_ms: int
    size: int
    volume: int
    format: int
    repaired: bool
    sha256: bytes
    fragments: bytes
    leaves: bool = False


class Stored(NamedTuple):
    """A file as those see it who keep, move or delete it: without what is needed to play it."""

    key: SegmentKey
    end_ms: int
    size: int
    volume: int
    sha256: bytes


def format_id(conn: Connection, fmt: MediaFormat) -> int:
    """The id of this init segment, stored once."""
    digest = hashlib.sha256(fmt.init).digest()
    found = conn.execute(select(media_format.c.id).where(media_format.c.sha256 == digest)).scalar()
    if found is not None:
        return int(found)
    statement = media_format.insert().values(
        sha256=digest,
        init=fmt.init,
        video_codec=fmt.video_codec,
        video_codec_string=fmt.video_codec_string,
        width=fmt.width,
        height=fmt.height,
        audio_codec=fmt.audio_codec,
        audio_codec_string=fmt.audio_codec_string,
        audio_rate=fmt.audio_rate,
    )
    return int(conn.execute(statement.returning(media_format.c.id)).scalar_one())


def formats(conn: Connection, ids: Iterable[int]) -> dict[int, MediaFormat]:
    """Init segments by id."""
    rows = conn.execute(select(media_format).where(media_format.c.id.in_(set(ids))))
    return {row.id: _format(row) for row in rows}


def close_segment(conn: Connection, at_ms: int, item: Segment) -> None:
    """Index one finished file: its row, the span it extends, the day's usage, the journal entry."""
    key = item.key
    conn.execute(
        _INSERT,
        {
            "camera": key.camera,
            "stream": int(key.stream),
            "start_ms": key.start_ms,
            "epoch": key.epoch,
            "end_ms": item.end_ms,
            "size": item.size,
            "volume": item.volume,
            "format": item.format,
            "repaired": item.repaired,
            "sha256": item.sha256,
            "fragments": item.fragments,
        },
    )
    marks.carve(conn, marks.between(item.volume, key, key))  # nobody decided that this one leaves
    spans.extend(conn, key.camera, key.stream, key.start_ms, item.end_ms)
    usage.add(conn, key, item.end_ms, item.size, item.volume)
    body = {
        "path": key.path(),
        "end_ms": item.end_ms,
        "size": item.size,
        "sha256": item.sha256.hex(),
        "volume": item.volume,
        "repaired": item.repaired,
    }
    journal.append(conn, at_ms, "segment_closed", key.camera, body)


def move(conn: Connection, at_ms: int, rows: Sequence[Stored], volume: int) -> list[Stored]:
    """Verified copies of these files lie on another volume, which is where they are found from now on.
    Returns those that moved: what was deleted or moved meanwhile stays as it is."""
    moved = []
    for row in rows:
        here = and_(_is(row.key), segment.c.volume == row.volume, ~marks.IS_MARKED)
        if conn.execute(update(segment).where(here).values(volume=volume)).rowcount:
            moved.append(row)
            marks.carve(conn, marks.between(volume, row.key, row.key))
            usage.add(conn, row.key, row.end_ms, row.size, volume)
    usage.subtract(conn, moved)
    for camera in sorted({row.key.camera for row in moved}):
        keys = [
            [int(k.stream), k.start_ms, k.epoch] for k in (row.key for row in moved) if k.camera == camera
        ]
        body = {"from": rows[0].volume, "to": volume, "segments": keys}
        journal.append(conn, at_ms, "segments_moved", camera, body)
    return moved


def exists(conn: Connection, key: SegmentKey) -> bool:
    """Whether a file is indexed."""
    return conn.execute(select(segment.c.camera).where(_is(key))).first() is not None


def get(conn: Connection, key: SegmentKey) -> Segment | None:
    """One indexed file, or None."""
    row = conn.execute(select(segment, _LEAVES).where(_is(key))).first()
    return _segment(row) if row else None


def between(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> list[Segment]:
    """Files that overlap [start_ms, end_ms), in order."""
    query = (
        select(segment, _LEAVES)
        .where(
            segment.c.camera == camera,
            segment.c.stream == int(stream),
            segment.c.start_ms < end_ms,
            segment.c.end_ms > start_ms,
        )
        .order_by(segment.c.start_ms, segment.c.epoch)
    )
    return [_segment(row) for row in conn.execute(query)]


def stored_columns() -> list[Column[Any]]:
    """The columns of ``Stored``."""
    c = segment.c
    return [c.camera, c.stream, c.start_ms, c.epoch, c.end_ms, c.size, c.volume, c.sha256]


def all_stored(rows: Iterable[Sequence[Any]]) -> list[Stored]:
    """Rows with those columns."""
    # Made without a call for each row: a day of 64 cameras is 92 160 files.
    new = tuple.__new__
    return [
        new(
            Stored, (new(SegmentKey, (camera, _ROLES[stream], start_ms, epoch)), end_ms, size, volume, sha256)
        )
        for camera, stream, start_ms, epoch, end_ms, size, volume, sha256 in rows
    ]


# Made once: SQLAlchemy takes a millisecond to put this together, as long as reading a hundred files.
_OLDEST = (
    select(*stored_columns())
    .where(
        segment.c.camera == bindparam("o_camera"),
        segment.c.stream == bindparam("o_stream"),
        segment.c.start_ms >= bindparam("o_after_ms"),
        segment.c.start_ms < bindparam("o_before_ms"),
        segment.c.end_ms <= bindparam("o_before_ms"),
        ~marks.IS_MARKED,
    )
    .order_by(segment.c.start_ms, segment.c.epoch)
    .limit(bindparam("o_limit"))
)
_OLDEST_THERE = _OLDEST.where(segment.c.volume == bindparam("o_volume"))


def oldest(
    conn: Connection,
    camera: int,
    stream: StreamRole,
    *,
    after_ms: int,
    before_ms: int,
    volume: int | None = None,
    limit: int,
) -> list[Stored]:
    """Files of a stream that begin at ``after_ms`` or later and end by ``before_ms``, oldest first, on one
    volume or on all; those that leave already are left out."""
    wanted = {
        "o_camera": camera,
        "o_stream": int(stream),
        "o_after_ms": after_ms,
        "o_before_ms": before_ms,
        "o_volume": volume,
        "o_limit": limit,
    }
    return all_stored(conn.execute(_OLDEST if volume is None else _OLDEST_THERE, wanted).all())


def newest_end(conn: Connection, camera: int, stream: StreamRole) -> int | None:
    """When the newest kept span ends, or None when nothing is kept."""
    value = conn.execute(_NEWEST_END, {"n_camera": camera, "n_stream": int(stream)}).scalar()
    return int(value) if value is not None else None


def newest_ends(conn: Connection, stream: StreamRole) -> dict[int, int]:
    """When the newest kept span of each camera that has any ends."""
    query = select(span.c.camera, func.max(span.c.end_ms)).where(span.c.stream == int(stream))
    return {row[0]: int(row[1]) for row in conn.execute(query.group_by(span.c.camera))}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one camera's stream. Times are None when nothing is."""

    oldest_ms: int | None
    newest_ms: int | None
    footage_ms: int
    size: int
    segments: int


def kept(conn: Connection, stream: StreamRole = StreamRole.MAIN) -> dict[int, Kept]:
    """What is kept, by camera, from the roll-ups."""
    totals = conn.execute(
        select(
            usage_day.c.camera,
            func.sum(usage_day.c.footage_ms),
            func.sum(usage_day.c.bytes),
            func.sum(usage_day.c.segments),
        )
        .where(usage_day.c.stream == int(stream))
        .group_by(usage_day.c.camera)
    )
    limits = {
        row[0]: (row[1], row[2])
        for row in conn.execute(
            select(span.c.camera, func.min(span.c.start_ms), func.max(span.c.end_ms))
            .where(span.c.stream == int(stream))
            .group_by(span.c.camera)
        )
    }
    return {
        row[0]: Kept(*limits.get(row[0], (None, None)), int(row[1]), int(row[2]), int(row[3]))
        for row in totals
    }


def bytes_on_volume(conn: Connection, volume: int) -> int:
    """Bytes of indexed footage on one volume."""
    query = select(func.coalesce(func.sum(usage_day.c.bytes), 0)).where(usage_day.c.volume == volume)
    return int(conn.execute(query).scalar_one())


def count(conn: Connection) -> int:
    """How many files are indexed."""
    return int(conn.execute(select(func.count()).select_from(segment)).scalar_one())


def on_volume(
    conn: Connection,
    volume: int,
    *,
    camera: int | None = None,
    after: SegmentKey | None = None,
    limit: int = 10_000,
) -> list[Stored]:
    """Indexed files of a volume in key order, a page at a time; those that leave are left out."""
    query = select(*stored_columns()).where(segment.c.volume == volume, ~marks.IS_MARKED)
    if camera is not None:
        query = query.where(segment.c.camera == camera)
    if after is not None:
        key = tuple_(segment.c.camera, segment.c.stream, segment.c.start_ms, segment.c.epoch)
        last = (after.camera, int(after.stream), after.start_ms, after.epoch)
        query = query.where(key > last)
    query = query.order_by(segment.c.camera, segment.c.stream, segment.c.start_ms, segment.c.epoch)
    return all_stored(conn.execute(query.limit(limit)).all())


def volumes_of(conn: Connection, keys: Sequence[SegmentKey]) -> dict[SegmentKey, int]:
    """On which volume each of these files is indexed; those that are not are left out."""
    found = {}
    query = select(segment.c.volume).where(
        segment.c.camera == bindparam("a"),
        segment.c.stream == bindparam("b"),
        segment.c.start_ms == bindparam("c"),
        segment.c.epoch == bindparam("d"),
    )
    for key in keys:
        at = {"a": key.camera, "b": int(key.stream), "c": key.start_ms, "d": key.epoch}
        volume = conn.execute(query, at).scalar()
        if volume is not None:
            found[key] = int(volume)
    return found


def _is(key: SegmentKey) -> Any:
    return and_(
        segment.c.camera == key.camera,
        segment.c.stream == int(key.stream),
        segment.c.start_ms == key.start_ms,
        segment.c.epoch == key.epoch,
    )


def _segment(row: Row[Any]) -> Segment:
    key = SegmentKey(row.camera, StreamRole(row.stream), row.start_ms, row.epoch)
    return Segment(
        key,
        row.end_ms,
        row.size,
        row.volume,
        row.format,
        row.repaired,
        row.sha256,
        row.fragments,
        row.leaves,
    )


def _format(row: Row[Any]) -> MediaFormat:
    return MediaFormat(
        row.id,
        row.init,
        row.video_codec,
        row.video_codec_string,
        row.width,
        row.height,
        row.audio_codec,
        row.audio_codec_string,
        row.audio_rate,
    )
