"""How long each camera's footage is kept, and which parts of it events keep longer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from beholden.catalog.tables import camera, event, journal
from beholden.catalog.usage import DAY_MS

# No event is followed for longer: those that reach into a range began at most so long before it.
_LONGEST_EVENT_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Keeping:
    """The rules of one camera, one that was removed included."""

    camera: int
    removed: bool
    keep_days: float
    keep_event_days: float | None
    max_days: float | None
    max_bytes: int | None
    pre_ms: int
    post_ms: int

    def plain_cutoff(self, now_ms: int) -> int:
        """What ended by this instant goes, unless an event or a hold keeps it."""
        return max(now_ms - round(self.keep_days * DAY_MS), self.hard_cutoff(now_ms))

    def final_cutoff(self, now_ms: int) -> int:
        """What ended by this instant goes, unless a hold keeps it."""
        longest = max(self.keep_days, 0.0 if self.removed else self.keep_event_days or 0.0)
        if self.keep_days <= 0:
            longest = 0.0  # nothing at all is to be kept: a person said so
        return max(now_ms - round(longest * DAY_MS), self.hard_cutoff(now_ms))

    def hard_cutoff(self, now_ms: int) -> int:
        """What ended by this instant is beyond the hard maximum; 0 without one."""
        return 0 if self.max_days is None else now_ms - round(self.max_days * DAY_MS)


def all_cameras(conn: Connection) -> list[Keeping]:
    """The rules of every camera there ever was, by id."""
    return [
        Keeping(
            row.id,
            row.removed_ms is not None,
            row.keep_days,
            row.keep_event_days,
            row.max_days,
            row.max_bytes,
            row.pre_seconds * 1000,
            row.post_seconds * 1000,
        )
        for row in conn.execute(select(camera).order_by(camera.c.id))
    ]


def event_ranges(conn: Connection, rules: Keeping, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """What events keep of [start_ms, end_ms), with the seconds before and after, in order; one that lasts
    ends never."""
    query = (
        select(event.c.start_ms, event.c.end_ms)
        .where(
            event.c.camera == rules.camera,
            event.c.start_ms > start_ms - rules.post_ms - _LONGEST_EVENT_MS,
            event.c.start_ms < end_ms + rules.pre_ms,
            or_(event.c.end_ms.is_(None), event.c.end_ms > start_ms - rules.post_ms),
        )
        .order_by(event.c.start_ms)
    )
    return [
        (row.start_ms - rules.pre_ms, (1 << 62) if row.end_ms is None else row.end_ms + rules.post_ms)
        for row in conn.execute(query)
    ]


def days_set_since(conn: Connection, number: int, since_ms: int) -> bool:
    """Whether a person set how long this camera's footage is kept after an instant."""
    query = select(journal.c.body).where(
        journal.c.camera == number, journal.c.kind == "camera_changed", journal.c.at_ms > since_ms
    )
    wanted = {"keep_days", "keep_event_days", "max_days"}
    return any(wanted & json.loads(body).keys() for body in conn.execute(query).scalars())
