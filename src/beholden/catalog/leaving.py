"""Footage that leaves: marked before its file is unlinked, forgotten with all facts afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, delete, func, select

from beholden.catalog import gaps, journal, marks, spans, usage
from beholden.catalog.marks import Range
from beholden.catalog.segments import JOIN_MS, Stored, all_stored, stored_columns
from beholden.catalog.tables import leaving, segment
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason, words
from beholden.model.gap import GapCause

Run = list[Stored]
"""Files that follow each other without a hole on one volume."""

_EARLY = frozenset({Reason.ASKED, Reason.CAMERA_SHARE, Reason.VOLUME_LIMIT, Reason.SPACE, Reason.LOST})

_DELETE = delete(segment).where(marks.WITHIN)
_COUNT = select(func.count(), func.sum(segment.c.start_ms)).where(marks.WITHIN)
_LIST = (
    select(segment.c.start_ms, segment.c.epoch)
    .where(marks.WITHIN)
    .order_by(segment.c.start_ms, segment.c.epoch)
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Files of one volume that leave for one reason."""

    reason: Reason
    rows: list[Stored]


def mark(conn: Connection, at_ms: int, runs: Iterable[Run], reason: Reason) -> None:
    """Note that these files will be unlinked; from now on nobody plays them, and a crash is no loss."""
    for run in runs:
        for where in _there(conn, run)[0]:
            marks.add(conn, at_ms, where, reason)


def unmark(conn: Connection, rows: Iterable[Stored]) -> None:
    """They stay after all."""
    for row in rows:
        marks.carve(conn, marks.between(row.volume, row.key, row.key))


def marked(conn: Connection, volume: int, limit: int) -> list[Leaving]:
    """Files of a volume that a crash or a failing disk left marked, by reason."""
    query = (
        select(*stored_columns(), leaving.c.reason)
        .join_from(leaving, segment, marks.COVERS)
        .where(leaving.c.volume == volume)
        .limit(limit)
    )
    by_reason: dict[str, list[Any]] = {}
    for row in conn.execute(query):
        by_reason.setdefault(row.reason, []).append(row[:8])
    return [Leaving(Reason(reason), sorted(all_stored(rows))) for reason, rows in by_reason.items()]


def forget(
    conn: Connection, at_ms: int, runs: Sequence[Run], reason: Reason, by: str, *, detail: str = ""
) -> None:
    """The files are gone: their rows, spans and usage go too, the journal says why and by whom, and where
    footage is missing inside the timeline, or before its days were over, a gap says so (rule 5).

    ``detail`` replaces the words of the reason in the gap. What is not there any more is left out.
    """
    gone: list[Run] = []
    for run in runs:
        ranges, there = _there(conn, run)
        for where in ranges:
            conn.execute(_DELETE, where.bound())
            marks.carve(conn, where)
        if there:
            _forget_run(conn, at_ms, there, reason, detail or words(reason))
            usage.subtract(conn, there)
            gone.append(there)
    for (camera, stream), each in itertools.groupby(gone, key=lambda run: _stream(run[0])):
        rows = list(itertools.chain.from_iterable(each))
        journal.append(conn, at_ms, "segments_deleted", camera, _fact(stream, rows, reason, by))


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
    oldest_ms = spans.oldest(conn, camera, stream)
    return oldest_ms is not None and oldest_ms < start_ms


def _fact(stream: StreamRole, rows: list[Stored], reason: Reason, by: str) -> dict[str, Any]:
    return {
        "stream": int(stream),
        "cause": reason.value,
        "by": by,
        "bytes": sum(row.size for row in rows),
        "segments": [row.key[2:] for row in rows],  # start and epoch
        "sha256": b"".join([row.sha256 for row in rows]).hex(),  # in the same order, 64 digits each
    }


def runs(rows: Iterable[Stored]) -> list[Run]:
    """Files in order, those that follow each other without a hole on one volume together, so that one
    statement takes them all."""
    ordered = sorted(rows, key=attrgetter("key"))
    begins = [
        at
        for at, (last, row) in enumerate(itertools.pairwise(ordered), 1)
        if row.key.start_ms > last.end_ms + JOIN_MS
        or row.volume != last.volume
        or row.key.stream is not last.key.stream
        or row.key.camera != last.key.camera
    ]
    ends = [*begins, len(ordered)] if ordered else []
    return [ordered[first:end] for first, end in zip([0, *begins], ends, strict=False)]


def _stream(row: Stored) -> tuple[int, StreamRole]:
    return row.key.camera, row.key.stream


def _there(conn: Connection, run: Run) -> tuple[list[Range], Run]:
    """The files of a run that are there, in the fewest ranges without any other file: one statement for all
    is far quicker than one for each."""
    whole = marks.between(run[0].volume, run[0].key, run[-1].key)
    if tuple(conn.execute(_COUNT, whole.bound()).one()) == (len(run), sum([row.key.start_ms for row in run])):
        return [whole], run
    ours = {row.key[2:] for row in run}
    ranges: list[Range] = []
    found: set[tuple[int, ...]] = set()
    keys = (tuple(row) for row in conn.execute(_LIST, whole.bound()))
    for is_ours, group in itertools.groupby(keys, key=ours.__contains__):
        if is_ours:
            bounds = list(group)
            ranges.append(whole._replace(first=bounds[0], last=bounds[-1]))
            found.update(bounds)
    return ranges, [row for row in run if row.key[2:] in found]
