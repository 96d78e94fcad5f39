"""Events of the analyser, and which of them a person has reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, or_, select, update

from beholden.catalog import counts
from beholden.catalog.tables import event, verdict
from beholden.model.event import Box, Event, EventKind, RuleHit, event_kind
from beholden.model.rule import Severity
from beholden.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Reviewable:
    """An event, whether somebody has marked it reviewed, and what they said of it."""

    event: Event
    reviewed: bool
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What to look for. Times bound the event's overlap: it ends after ``since_ms`` and begins before
    ``until_ms``. There is no filter for who."""

    cameras: Sequence[int] | None = None
    kinds: Sequence[EventKind] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    reviewed: bool | None = None
    severity: Severity | None = None
    rules: Sequence[int] | None = None


def start_event(
    conn: Connection,
    camera: int,
    kind: EventKind,
    start_ms: int,
    score: float,
    box: Box,
    still_ms: int,
    hit: RuleHit | None = None,
) -> int:
    """Store a new event that lasts still, count it, and return its id."""
    counts.add_event(conn, camera, start_ms, kind, hit.rule if hit is not None else 0, 1)
    statement = event.insert().values(
        **_hit_values(hit),
        camera=camera,
        kind=kind.value,
        start_ms=start_ms,
        end_ms=None,
        score=score,
        **_box_values(box),
        still_ms=still_ms,
        still_size=0,
    )
    return int(conn.execute(statement.returning(event.c.id)).scalar_one())


def update_event(
    conn: Connection,
    event_id: int,
    *,
    kind: EventKind | None = None,
    score: float | None = None,
    box: Box | None = None,
    still_ms: int | None = None,
    still_size: int | None = None,
) -> None:
    """Better knowledge of an event that lasts: its class by vote, its best still."""
    values: dict[str, Any] = {}
    if kind is not None:
        _recount(conn, event_id, kind)
        values["kind"] = kind.value
    if score is not None:
        values["score"] = score
    if box is not None:
        values |= _box_values(box)
    if still_ms is not None:
        values["still_ms"] = still_ms
    if still_size is not None:
        values["still_size"] = still_size
    if values:
        conn.execute(update(event).where(event.c.id == event_id).values(**values))


def detail_event(conn: Connection, event_id: int, detail: Mapping[str, str | float]) -> None:
    """What was measured while it lasted, such as the highest speed."""
    conn.execute(update(event).where(event.c.id == event_id).values(detail=_detail_text(detail)))


def end_event(conn: Connection, event_id: int, end_ms: int) -> None:
    """The object was last seen at ``end_ms``."""
    conn.execute(update(event).where(event.c.id == event_id, event.c.end_ms.is_(None)).values(end_ms=end_ms))


def end_orphans(conn: Connection) -> int:
    """End events that an analyser left open when it died, at their best still; returns how many."""
    result = conn.execute(
        update(event)
        .where(event.c.end_ms.is_(None))
        .values(end_ms=func.max(event.c.start_ms, event.c.still_ms))
    )
    return int(result.rowcount)


def get(conn: Connection, event_id: int) -> Reviewable | None:
    """One event, or None."""
    row = conn.execute(_with_verdict().where(event.c.id == event_id)).first()
    return _reviewable(row) if row is not None else None


def page(
    conn: Connection, wanted: EventFilter, *, before: tuple[int, int] | None = None, limit: int = 60
) -> list[Reviewable]:
    """Newest first; ``before`` is (start_ms, id) of the last one of the previous page."""
    query = _with_verdict().where(*_conditions(wanted))
    if before is not None:
        start_ms, event_id = before
        query = query.where(
            or_(event.c.start_ms < start_ms, (event.c.start_ms == start_ms) & (event.c.id < event_id))
        )
    query = query.order_by(event.c.start_ms.desc(), event.c.id.desc()).limit(limit)
    return [_reviewable(row) for row in conn.execute(query)]


def count(conn: Connection, wanted: EventFilter) -> int:
    """How many events match."""
    query = select(func.count()).select_from(event).where(*_conditions(wanted))
    return int(conn.execute(query).scalar_one())


def mark_reviewed(
    conn: Connection,
    at_ms: int,
    user_id: int,
    wanted: EventFilter,
    reviewed: bool,
    ids: Sequence[int] | None = None,
) -> int:
    """Mark what matches (and, when given, only these ids); returns how many changed."""
    statement = update(event).where(*_conditions(wanted))
    if ids is not None:
        statement = statement.where(event.c.id.in_(list(ids)))
    if reviewed:
        statement = statement.where(event.c.reviewed_ms.is_(None)).values(
            reviewed_ms=at_ms, reviewed_by=user_id
        )
    else:
        statement = statement.values(reviewed_ms=None, reviewed_by=None)
    return int(conn.execute(statement).rowcount)


def ended_before(
    conn: Connection, camera: int, cutoff_ms: int, limit: int = 500, *, after: int = 0
) -> list[Event]:
    """Events of a camera that ended before an instant, by id from ``after`` on, for retention."""
    old = (event.c.camera == camera, event.c.end_ms <= cutoff_ms, event.c.id > after)
    query = _with_verdict().where(*old).order_by(event.c.id).limit(limit)
    return [_reviewable(row).event for row in conn.execute(query)]


def delete_events(conn: Connection, ids: Sequence[int]) -> None:
    """Forget events (their stills are deleted first)."""
    conn.execute(delete(event).where(event.c.id.in_(list(ids))))


def _conditions(wanted: EventFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.cameras is not None:
        conditions.append(event.c.camera.in_(list(wanted.cameras)))
    if wanted.kinds is not None:
        conditions.append(event.c.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.since_ms is not None:
        conditions.append(or_(event.c.end_ms.is_(None), event.c.end_ms >= wanted.since_ms))
    if wanted.until_ms is not None:
        conditions.append(event.c.start_ms < wanted.until_ms)
    if wanted.reviewed is not None:
        conditions.append(
            event.c.reviewed_ms.is_not(None) if wanted.reviewed else event.c.reviewed_ms.is_(None)
        )
    if wanted.severity is not None:
        conditions.append(event.c.severity == wanted.severity.value)
    if wanted.rules is not None:
        conditions.append(event.c.rule.in_(list(wanted.rules)))
    return conditions


def _with_verdict() -> Select[Any]:
    joined = event.outerjoin(verdict, verdict.c.event == event.c.id)
    return select(event, verdict.c.verdict.label("said")).select_from(joined)


def _recount(conn: Connection, event_id: int, kind: EventKind) -> None:
    """Move an event to another class in the roll-up."""
    query = select(event.c.camera, event.c.start_ms, event.c.kind, event.c.rule)
    row = conn.execute(query.where(event.c.id == event_id)).first()
    if row is not None and row.kind != kind.value:
        counts.add_event(conn, row.camera, row.start_ms, event_kind(row.kind), row.rule or 0, -1)
        counts.add_event(conn, row.camera, row.start_ms, kind, row.rule or 0, 1)


def _hit_values(hit: RuleHit | None) -> dict[str, Any]:
    if hit is None:
        return {}
    return {
        "rule": hit.rule,
        "what": hit.what,
        "place": hit.place,
        "severity": hit.severity,
        "detail": _detail_text(hit.detail),
    }


def _detail_text(detail: Mapping[str, str | float]) -> str:
    return json.dumps(dict(detail), sort_keys=True, separators=(",", ":"))


def _hit(row: Row[Any]) -> RuleHit | None:
    if row.rule is None:
        return None
    return RuleHit(row.rule, row.what or "", row.place, row.severity, json.loads(row.detail or "{}"))


def _box_values(box: Box) -> dict[str, float]:
    return {"box_left": box.left, "box_top": box.top, "box_right": box.right, "box_bottom": box.bottom}


def _reviewable(row: Row[Any]) -> Reviewable:
    box = Box(row.box_left, row.box_top, row.box_right, row.box_bottom)
    item = Event(
        row.id,
        row.camera,
        event_kind(row.kind),
        row.start_ms,
        row.end_ms,
        row.score,
        box,
        row.still_ms,
        row.still_size,
        _hit(row),
    )
    return Reviewable(item, row.reviewed_ms is not None, Verdict(row.said) if row.said else None)
