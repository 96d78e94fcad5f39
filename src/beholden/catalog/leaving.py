"""Footage that leaves: marked in its row before its file is unlinked, forgotten with all facts afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, select, update

from beholden.catalog import gaps, journal, spans, usage
from beholden.catalog.segments import JOIN_MS, Stored, stored, stored_columns
from beholden.catalog.tables import segment, span
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason, words
from beholden.model.gap import GapCause

Run = list[Stored]
"""Files that follow each other without a hole on one volume."""

_EARLY = frozenset({Reason.ASKED, Reason.CAMERA_SHARE, Reason.VOLUME_LIMIT, Reason.SPACE, Reason.LOST})


@dataclass(frozen=True, slots=True)
class Leaving:
    """Files of one volume that leave for one reason."""

    reason: Reason
    rows: list[Stored]


def mark(conn: Connection, at_ms: int, runs: Sequence[Run], reason: Reason) -> None:
    """Note that these files will be unlinked; from now on nobody plays them, and a crash is no loss."""
    values = {"leaving_ms": at_ms, "leaving_reason": reason.value}
    for run in runs:
        if _is_whole(conn, run):
            conn.execute(update(segment).where(_within(run)).values(**values))
        else:
            conn.execute(update(segment).where(_one()).values(**values), [_keys(row) for row in run])


def unmark(conn: Connection, rows: Iterable[Stored]) -> None:
    """They stay after all."""
    values = {"leaving_ms": None, "leaving_reason": None}
    keys = [_keys(row) for row in rows]
    if keys:
        conn.execute(update(segment).where(_one()).values(**values), keys)


def marked(conn: Connection, volume: int, limit: int) -> list[Leaving]:
    """Files of a volume that a crash or a failing disk left marked, by reason."""
    query = (
        select(*stored_columns(), segment.c.leaving_reason)
        .where(segment.c.leaving_ms.is_not(None), segment.c.volume == volume)
        .limit(limit)
    )
    by_reason: dict[str, list[Stored]] = {}
    for row in conn.execute(query):
        by_reason.setdefault(row.leaving_reason, []).append(stored(row))  # type: ignore[arg-type]
    return [
        Leaving(Reason(reason), sorted(rows, key=lambda row: row.key)) for reason, rows in by_reason.items()
    ]


def forget(
    conn: Connection, at_ms: int, runs: Sequence[Run], reason: Reason, by: str, *, detail: str = ""
) -> None:
    """The files are gone: their rows, spans and usage go too, the journal says why and by whom, and where
    footage is missing inside the timeline, or before its days were over, a gap says so (rule 5).

    ``detail`` replaces the words of the reason in the gap.
    """
    for run in runs:
        if _is_whole(conn, run):
            conn.execute(delete(segment).where(_within(run)))
        else:
            conn.execute(delete(segment).where(_one()), [_keys(row) for row in run])
        _forget_run(conn, at_ms, run, reason, detail or words(reason))
        usage.subtract(conn, run)
    for (camera, stream), each in itertools.groupby(runs, key=lambda run: _stream(run[0])):
        gone = list(itertools.chain.from_iterable(each))
        journal.append(conn, at_ms, "segments_deleted", camera, _fact(stream, gone, reason, by))


def _forget_run(conn: Connection, at_ms: int, run: Sequence[Stored], reason: Reason, detail: str) -> None:
    key, end_ms = run[0].key, max(row.end_ms for row in run)
    if spans.covered(conn, key.camera, key.stream, key.start_ms, end_ms):
        for row in run:  # a copy of some of it is kept
            if not spans.covered(conn, key.camera, key.stream, row.key.start_ms, row.end_ms):
                spans.cut(conn, key.camera, key.stream, row.key.start_ms, row.end_ms)
        return
    spans.cut(conn, key.camera, key.stream, key.start_ms, end_ms)
    if reason in _EARLY or _is_inside(conn, key.camera, key.stream, key.start_ms):
        cause = GapCause.FILE_MISSING if reason is Reason.LOST else GapCause.DELETED
        gap = gaps.Gap(key.camera, key.stream, key.start_ms, end_ms, cause, detail)
        gaps.add_deleted(conn, at_ms, gap, JOIN_MS)


def _is_inside(conn: Connection, camera: int, stream: StreamRole, start_ms: int) -> bool:
    """Whether older footage is kept: then it is not just the oldest end of the timeline that moves."""
    older = and_(span.c.camera == camera, span.c.stream == int(stream), span.c.start_ms < start_ms)
    return bool(conn.execute(select(exists().where(older))).scalar())


def _fact(stream: StreamRole, rows: list[Stored], reason: Reason, by: str) -> dict[str, Any]:
    return {
        "stream": int(stream),
        "cause": reason.value,
        "by": by,
        "bytes": sum(row.size for row in rows),
        "segments": [[row.key.start_ms, row.key.epoch] for row in rows],
        "sha256": b"".join([row.sha256 for row in rows]).hex(),  # in the same order, 64 digits each
    }


def runs(rows: Iterable[Stored]) -> list[Run]:
    """Files in order, those that follow each other without a hole on one volume together, so that one
    statement takes them all."""
    found: list[Run] = []
    last: Stored | None = None
    for row in sorted(rows, key=_order):
        if (
            last is None
            or row.key.start_ms > last.end_ms + JOIN_MS
            or row.key.camera != last.key.camera
            or row.key.stream != last.key.stream
            or row.volume != last.volume
        ):
            found.append([])
        found[-1].append(row)
        last = row
    return found


def _order(row: Stored) -> tuple[int, int, int, int]:
    return row.key.camera, int(row.key.stream), row.key.start_ms, row.key.epoch


def _stream(row: Stored) -> tuple[int, StreamRole]:
    return row.key.camera, row.key.stream


def _is_whole(conn: Connection, run: Sequence[Stored]) -> bool:
    """Whether no other file lies between them: one statement for all is far quicker than one for each."""
    query = select(func.count()).select_from(segment).where(_within(run))
    return conn.execute(query).scalar_one() == len(run)


def _within(run: Sequence[Stored]) -> Any:
    first, last = run[0], run[-1]
    return and_(
        segment.c.camera == first.key.camera,
        segment.c.stream == int(first.key.stream),
        segment.c.start_ms.between(first.key.start_ms, last.key.start_ms),
        segment.c.volume == first.volume,
    )


def _one() -> Any:
    return and_(
        segment.c.camera == bindparam("k_camera"),
        segment.c.stream == bindparam("k_stream"),
        segment.c.start_ms == bindparam("k_start"),
        segment.c.epoch == bindparam("k_epoch"),
    )


def _keys(row: Stored) -> dict[str, int]:
    key = row.key
    return {
        "k_camera": key.camera,
        "k_stream": int(key.stream),
        "k_start": key.start_ms,
        "k_epoch": key.epoch,
    }
