"""Which files are marked to leave, by ranges of keys: marking a day of a camera is one narrow row."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, select, tuple_

from beholden.catalog.tables import leaving, segment
from beholden.model.deletion import Reason
from beholden.model.segment import SegmentKey

Bound = tuple[int, int]
"""(start_ms, epoch) of a key. A bound need not be the key of a file."""


class Range(NamedTuple):
    """The files of a stream on one volume whose keys lie in [first, last]."""

    volume: int
    camera: int
    stream: int
    first: Bound
    last: Bound

    def columns(self) -> dict[str, int]:
        """As a row of ``leaving`` has it."""
        return {
            "volume": self.volume,
            "camera": self.camera,
            "stream": self.stream,
            "from_ms": self.first[0],
            "from_epoch": self.first[1],
            "to_ms": self.last[0],
            "to_epoch": self.last[1],
        }

    def bound(self) -> dict[str, int]:
        """The parameters of a statement with ``WITHIN``."""
        return {f"r_{name}": value for name, value in self.columns().items()}


def between(volume: int, first: SegmentKey, last: SegmentKey) -> Range:
    """The range from one file to another of the same stream, both included."""
    begin, end = (first.start_ms, first.epoch), (last.start_ms, last.epoch)
    return Range(volume, first.camera, int(first.stream), begin, end)


_KEY = tuple_(segment.c.start_ms, segment.c.epoch)
_FIRST = tuple_(bindparam("r_from_ms"), bindparam("r_from_epoch"))
_LAST = tuple_(bindparam("r_to_ms"), bindparam("r_to_epoch"))
# Conditions on start_ms alone are for the planner: they let every database find a range by its index.

WITHIN = and_(
    segment.c.camera == bindparam("r_camera"),
    segment.c.stream == bindparam("r_stream"),
    segment.c.start_ms.between(bindparam("r_from_ms"), bindparam("r_to_ms")),
    _KEY >= _FIRST,
    _KEY <= _LAST,
    segment.c.volume == bindparam("r_volume"),
)
"""Whether a row of ``segment`` is in a ``Range``, whose ``bound()`` goes with the statement."""

COVERS = and_(
    leaving.c.volume == segment.c.volume,
    leaving.c.camera == segment.c.camera,
    leaving.c.stream == segment.c.stream,
    segment.c.start_ms.between(leaving.c.from_ms, leaving.c.to_ms),
    tuple_(leaving.c.from_ms, leaving.c.from_epoch) <= _KEY,
    tuple_(leaving.c.to_ms, leaving.c.to_epoch) >= _KEY,
)
"""Whether a row of ``leaving`` covers one of ``segment``."""

IS_MARKED = exists().where(COVERS).correlate(segment)
"""Whether a row of ``segment`` leaves: for any query of that table."""

_OVERLAPS = and_(
    leaving.c.volume == bindparam("r_volume"),
    leaving.c.camera == bindparam("r_camera"),
    leaving.c.stream == bindparam("r_stream"),
    tuple_(leaving.c.from_ms, leaving.c.from_epoch) <= _LAST,
    tuple_(leaving.c.to_ms, leaving.c.to_epoch) >= _FIRST,
)
_OVERLAPPING = select(leaving).where(_OVERLAPS)
_REMOVE = delete(leaving).where(_OVERLAPS)
_HAS_FILES = select(exists().where(WITHIN))
_ADD = leaving.insert()


def add(conn: Connection, at_ms: int, where: Range, reason: Reason) -> None:
    """Everything in the range leaves. What was marked there before leaves for this reason now."""
    carve(conn, where)
    _insert(conn, where, reason.value, at_ms)


def carve(conn: Connection, where: Range) -> None:
    """Nothing in the range is marked any more; marks around it go on as far as there are files in them."""
    found = conn.execute(_OVERLAPPING, where.bound()).all()
    if not found:
        return
    conn.execute(_REMOVE, where.bound())
    for row in found:
        for rest in _around(row, where):
            if conn.execute(_HAS_FILES, rest.bound()).scalar():
                _insert(conn, rest, row.reason, row.at_ms)


def _around(row: Row[Any], where: Range) -> list[Range]:
    """What of a mark lies before and after a range."""
    first, last = (row.from_ms, row.from_epoch), (row.to_ms, row.to_epoch)
    before, after = (where.first[0], where.first[1] - 1), (where.last[0], where.last[1] + 1)
    rests = [where._replace(first=first, last=before), where._replace(first=after, last=last)]
    return [rest for rest in rests if rest.first <= rest.last]


def _insert(conn: Connection, where: Range, reason: str, at_ms: int) -> None:
    conn.execute(_ADD, {**where.columns(), "reason": reason, "at_ms": at_ms})
