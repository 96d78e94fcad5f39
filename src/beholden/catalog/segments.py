"""Recorded files: rows, spans and day roll-ups, always changed together and journalled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from beholden.catalog import journal
from beholden.catalog.tables import media_format, segment, span, usage_day
from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey

DAY_MS = 86_400_000
# Two segments of one connection meet exactly; rounding to milliseconds may part them by this much.
JOIN_MS = 250


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
    ``len(format.init)``."""

    key: SegmentKey
    end_ms: int
    size: int
    volume: int
    format: int
    repaired: bool
    sha256: bytes
    fragments: bytes


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
        segment.insert().values(
            camera=key.camera,
            stream=int(key.stream),
            start_ms=key.start_ms,
            epoch=key.epoch,
            end_ms=item.end_ms,
            size=item.size,
            volume=item.volume,
            format=item.format,
            repaired=item.repaired,
            sha256=item.sha256,
            fragments=item.fragments,
        )
    )
    _extend_span(conn, key, item.end_ms)
    _add_usage(conn, item, sign=1)
    body = {
        "path": key.path(),
        "end_ms": item.end_ms,
        "size": item.size,
        "sha256": item.sha256.hex(),
        "volume": item.volume,
        "repaired": item.repaired,
    }
    journal.append(conn, at_ms, "segment_closed", key.camera, body)


def delete_segment(conn: Connection, at_ms: int, item: Segment, cause: str, by: str) -> None:
    """Forget a file whose bytes are gone; ``cause`` and ``by`` say why and who (rule 5)."""
    conn.execute(delete(segment).where(_is(item.key)))
    _cut_span(conn, item)
    _add_usage(conn, item, sign=-1)
    body = {"path": item.key.path(), "sha256": item.sha256.hex(), "cause": cause, "by": by}
    journal.append(conn, at_ms, "segment_deleted", item.key.camera, body)


def exists(conn: Connection, key: SegmentKey) -> bool:
    """Whether a file is indexed."""
    return conn.execute(select(segment.c.camera).where(_is(key))).first() is not None


def get(conn: Connection, key: SegmentKey) -> Segment | None:
    """One indexed file, or None."""
    row = conn.execute(select(segment).where(_is(key))).first()
    return _segment(row) if row else None


def between(conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> list[Segment]:
    """Files that overlap [start_ms, end_ms), in order."""
    query = (
        select(segment)
        .where(
            segment.c.camera == camera,
            segment.c.stream == int(stream),
            segment.c.start_ms < end_ms,
            segment.c.end_ms > start_ms,
        )
        .order_by(segment.c.start_ms, segment.c.epoch)
    )
    return [_segment(row) for row in conn.execute(query)]


def oldest(conn: Connection, *, camera: int | None = None, limit: int = 100) -> list[Segment]:
    """The files that began first, for retention."""
    query = select(segment).order_by(segment.c.start_ms).limit(limit)
    if camera is not None:
        query = query.where(segment.c.camera == camera)
    return [_segment(row) for row in conn.execute(query)]


def ended_before(conn: Connection, camera: int, cutoff_ms: int, limit: int = 500) -> list[Segment]:
    """Files of a camera that ended before an instant, oldest first."""
    query = (
        select(segment)
        .where(segment.c.camera == camera, segment.c.end_ms <= cutoff_ms)
        .order_by(segment.c.start_ms)
        .limit(limit)
    )
    return [_segment(row) for row in conn.execute(query)]


def newest_end(conn: Connection, camera: int, stream: StreamRole) -> int | None:
    """When the newest kept span ends, or None when nothing is kept."""
    query = select(func.max(span.c.end_ms)).where(span.c.camera == camera, span.c.stream == int(stream))
    value = conn.execute(query).scalar()
    return int(value) if value is not None else None


def spans(
    conn: Connection, camera: int, stream: StreamRole, start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    """Kept stretches that overlap [start_ms, end_ms), in order, not clipped."""
    query = (
        select(span.c.start_ms, span.c.end_ms)
        .where(
            span.c.camera == camera,
            span.c.stream == int(stream),
            span.c.start_ms < end_ms,
            span.c.end_ms > start_ms,
        )
        .order_by(span.c.start_ms)
    )
    return [(int(row[0]), int(row[1])) for row in conn.execute(query)]


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


def bytes_per_day(conn: Connection, day: int) -> int:
    """Bytes recorded on one UTC day (start_ms // 86 400 000) over all cameras."""
    query = select(func.coalesce(func.sum(usage_day.c.bytes), 0)).where(usage_day.c.day == day)
    return int(conn.execute(query).scalar_one())


def count(conn: Connection) -> int:
    """How many files are indexed."""
    return int(conn.execute(select(func.count()).select_from(segment)).scalar_one())


def keys_on_volume(
    conn: Connection, volume: int, *, after: SegmentKey | None = None, limit: int = 10_000
) -> list[Segment]:
    """Indexed files of a volume in key order, a page at a time, for reconciliation."""
    query = select(segment).where(segment.c.volume == volume)
    if after is not None:
        a, s, t, e = segment.c.camera, segment.c.stream, segment.c.start_ms, segment.c.epoch
        query = query.where(
            (a > after.camera)
            | and_(a == after.camera, s > int(after.stream))
            | and_(a == after.camera, s == int(after.stream), t > after.start_ms)
            | and_(a == after.camera, s == int(after.stream), t == after.start_ms, e > after.epoch)
        )
    query = query.order_by(segment.c.camera, segment.c.stream, segment.c.start_ms, segment.c.epoch).limit(
        limit
    )
    return [_segment(row) for row in conn.execute(query)]


def _is(key: SegmentKey) -> Any:
    return and_(
        segment.c.camera == key.camera,
        segment.c.stream == int(key.stream),
        segment.c.start_ms == key.start_ms,
        segment.c.epoch == key.epoch,
    )


def _segment(row: Row[Any]) -> Segment:
    key = SegmentKey(row.camera, StreamRole(row.stream), row.start_ms, row.epoch)
    return Segment(key, row.end_ms, row.size, row.volume, row.format, row.repaired, row.sha256, row.fragments)


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


def _stream_spans(key: SegmentKey) -> Any:
    return and_(span.c.camera == key.camera, span.c.stream == int(key.stream))


def _extend_span(conn: Connection, key: SegmentKey, end_ms: int) -> None:
    start_ms = key.start_ms
    touching = conn.execute(
        select(span.c.start_ms, span.c.end_ms).where(
            _stream_spans(key), span.c.start_ms <= end_ms + JOIN_MS, span.c.end_ms >= start_ms - JOIN_MS
        )
    ).all()
    if touching:
        start_ms = min(start_ms, *(row.start_ms for row in touching))
        end_ms = max(end_ms, *(row.end_ms for row in touching))
        starts = [row.start_ms for row in touching if row.start_ms != start_ms]
        if starts:
            conn.execute(delete(span).where(_stream_spans(key), span.c.start_ms.in_(starts)))
        if any(row.start_ms == start_ms for row in touching):
            conn.execute(
                update(span).where(_stream_spans(key), span.c.start_ms == start_ms).values(end_ms=end_ms)
            )
            return
    _insert_span(conn, key, start_ms, end_ms)


def _insert_span(conn: Connection, key: SegmentKey, start_ms: int, end_ms: int) -> None:
    conn.execute(
        span.insert().values(camera=key.camera, stream=int(key.stream), start_ms=start_ms, end_ms=end_ms)
    )


def _cut_span(conn: Connection, item: Segment) -> None:
    """Take [start, end) of a deleted file out of the span that holds it, unless a copy still covers it."""
    key, end_ms = item.key, item.end_ms
    if between(conn, key.camera, key.stream, key.start_ms + JOIN_MS, max(end_ms - JOIN_MS, key.start_ms + 1)):
        return
    rows = conn.execute(
        select(span.c.start_ms, span.c.end_ms).where(
            _stream_spans(key), span.c.start_ms < end_ms, span.c.end_ms > key.start_ms
        )
    ).all()
    for row in rows:
        conn.execute(delete(span).where(_stream_spans(key), span.c.start_ms == row.start_ms))
        if row.start_ms < key.start_ms - JOIN_MS:
            _insert_span(conn, key, row.start_ms, key.start_ms)
        if row.end_ms > end_ms + JOIN_MS:
            _insert_span(conn, key, end_ms, row.end_ms)


def _add_usage(conn: Connection, item: Segment, sign: int) -> None:
    key = item.key
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    footage_ms = item.end_ms - key.start_ms
    statement = insert(usage_day).values(
        camera=key.camera,
        stream=int(key.stream),
        day=key.start_ms // DAY_MS,
        volume=item.volume,
        bytes=sign * item.size,
        footage_ms=sign * footage_ms,
        segments=sign,
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["camera", "stream", "day", "volume"],
            set_={
                "bytes": usage_day.c.bytes + statement.excluded.bytes,
                "footage_ms": usage_day.c.footage_ms + statement.excluded.footage_ms,
                "segments": usage_day.c.segments + statement.excluded.segments,
            },
        )
    )
    if sign < 0:
        conn.execute(
            delete(usage_day).where(
                usage_day.c.camera == key.camera,
                usage_day.c.stream == int(key.stream),
                usage_day.c.day == key.start_ms // DAY_MS,
                usage_day.c.segments <= 0,
            )
        )
