"""Holds: ranges that retention may not cross until a person releases them. Their rows stay as history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from beholden.catalog import journal
from beholden.catalog.segments import Stored
from beholden.catalog.tables import camera as camera_table
from beholden.catalog.tables import hold
from beholden.model.errors import BeholdenError

MOST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Hold:
    """[from_ms, to_ms) of one camera, or of every camera when ``camera`` is None. ``released_ms`` is None
    while it stands."""

    id: int
    camera: int | None
    from_ms: int
    to_ms: int
    reason: str
    created_ms: int
    created_by: str
    released_ms: int | None
    released_by: str | None

    def covers(self, camera: int, start_ms: int, end_ms: int) -> bool:
        """Whether [start_ms, end_ms) of a camera reaches into it."""
        return self.camera in (None, camera) and start_ms < self.to_ms and end_ms > self.from_ms


def add(
    conn: Connection, at_ms: int, camera: int | None, from_ms: int, to_ms: int, reason: str, *, by: str
) -> Hold:
    """Hold a range. BeholdenError ``bad_range``, ``bad_reason``, ``camera_not_found`` (one that was removed
    may still be held: its footage is there)."""
    reason = reason.strip()
    if to_ms <= from_ms:
        raise BeholdenError("bad_range", "The end is not after the start.", "Choose a later end.")
    if not reason or len(reason) > MOST_REASON:
        raise BeholdenError(
            "bad_reason",
            f"A hold needs a reason of 1 to {MOST_REASON} characters.",
            "Say why it must not be deleted.",
        )
    known = select(camera_table.c.id).where(camera_table.c.id == camera)
    if camera is not None and conn.execute(known).first() is None:
        raise BeholdenError(
            "camera_not_found", f"There is no camera {str(camera)!r}.", "`beholden camera list` shows them."
        )
    values = {"camera": camera, "from_ms": from_ms, "to_ms": to_ms, "reason": reason}
    statement = hold.insert().values(**values, created_ms=at_ms, created_by=by).returning(hold.c.id)
    number = int(conn.execute(statement).scalar_one())
    journal.append(conn, at_ms, "hold_added", camera, {**values, "hold": number, "by": by})
    return Hold(number, camera, from_ms, to_ms, reason, at_ms, by, None, None)


def release(conn: Connection, at_ms: int, number: int, *, by: str) -> Hold:
    """End a hold: retention may delete there again. BeholdenError ``hold_not_found``, ``hold_released``."""
    row = conn.execute(select(hold).where(hold.c.id == number)).first()
    if row is None:
        raise BeholdenError(
            "hold_not_found", f"There is no hold {number}.", "`beholden hold list` shows them."
        )
    if row.released_ms is not None:
        raise BeholdenError("hold_released", f"Hold {number} was released already, by {row.released_by}.")
    conn.execute(update(hold).where(hold.c.id == number).values(released_ms=at_ms, released_by=by))
    journal.append(conn, at_ms, "hold_released", row.camera, {"hold": number, "by": by})
    return _hold(conn.execute(select(hold).where(hold.c.id == number)).one())


def standing(conn: Connection) -> list[Hold]:
    """Holds that are not released, oldest first."""
    rows = conn.execute(select(hold).where(hold.c.released_ms.is_(None)).order_by(hold.c.id))
    return [_hold(row) for row in rows]


def all_holds(conn: Connection) -> list[Hold]:
    """Every hold there ever was, newest first."""
    return [_hold(row) for row in conn.execute(select(hold).order_by(hold.c.id.desc()))]


def covered(holds: Sequence[Hold], camera: int, start_ms: int, end_ms: int) -> bool:
    """Whether any of them reaches into [start_ms, end_ms) of a camera."""
    return bool(holds) and any(each.covers(camera, start_ms, end_ms) for each in holds)


def free(holds: Sequence[Hold], rows: Sequence[Stored]) -> Sequence[Stored]:
    """Those files that none of them reaches into."""
    if not holds:
        return rows
    return [row for row in rows if not covered(holds, row.key.camera, row.key.start_ms, row.end_ms)]


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        row.id,
        row.camera,
        row.from_ms,
        row.to_ms,
        row.reason,
        row.created_ms,
        row.created_by,
        row.released_ms,
        row.released_by,
    )
