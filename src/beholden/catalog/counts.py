"""Roll-ups by the hour: events per class and rule, crossings per line. Written with what they count, and kept
when it is deleted, so that a chart of a year reads a few thousand rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from beholden.catalog.tables import event_hour, line_hour, place
from beholden.model.event import EventKind, ObjectClass, event_kind

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class EventHour:
    """How many events of a class began in an hour; ``rule`` is None for objects in view."""

    camera: int
    start_ms: int
    kind: EventKind
    rule: int | None
    events: int


@dataclass(frozen=True, slots=True)
class LineHour:
    """How many objects of a class crossed a line in an hour, each way."""

    camera: int
    place: int
    start_ms: int
    kind: ObjectClass
    went_in: int
    went_out: int


def add_event(conn: Connection, camera: int, start_ms: int, kind: EventKind, rule: int, step: int) -> None:
    """One more (``step`` 1) or one less (-1); ``rule`` 0 is an object in view."""
    key = {"camera": camera, "hour": start_ms // HOUR_MS, "kind": kind.value, "rule": rule}
    statement = insert(event_hour).values(**key, events=step)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(key), set_={"events": event_hour.c.events + statement.excluded.events}
        )
    )
    if step < 0:
        gone = [event_hour.c[name] == value for name, value in key.items()]
        conn.execute(delete(event_hour).where(*gone, event_hour.c.events <= 0))


def add_crossing(conn: Connection, place_id: int, at_ms: int, kind: ObjectClass, went_in: bool) -> None:
    """One object crossed a line."""
    key = {"place": place_id, "hour": at_ms // HOUR_MS, "kind": kind.value}
    statement = insert(line_hour).values(**key, went_in=int(went_in), went_out=int(not went_in))
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(key),
            set_={
                "went_in": line_hour.c.went_in + statement.excluded.went_in,
                "went_out": line_hour.c.went_out + statement.excluded.went_out,
            },
        )
    )


def of_events(conn: Connection, cameras: Sequence[int], from_ms: int, to_ms: int) -> list[EventHour]:
    """Hours that begin within [from, to), in order of time."""
    query = (
        select(event_hour)
        .where(event_hour.c.camera.in_(list(cameras)), *_hours(event_hour.c.hour, from_ms, to_ms))
        .order_by(event_hour.c.hour, event_hour.c.camera, event_hour.c.kind, event_hour.c.rule)
    )
    return [
        EventHour(row.camera, row.hour * HOUR_MS, event_kind(row.kind), row.rule or None, row.events)
        for row in conn.execute(query)
    ]


def of_lines(conn: Connection, cameras: Sequence[int], from_ms: int, to_ms: int) -> list[LineHour]:
    """The same for the lines of these cameras, removed ones included."""
    query = (
        select(place.c.camera, line_hour)
        .join(line_hour, line_hour.c.place == place.c.id)
        .where(place.c.camera.in_(list(cameras)), *_hours(line_hour.c.hour, from_ms, to_ms))
        .order_by(line_hour.c.hour, line_hour.c.place, line_hour.c.kind)
    )
    return [
        LineHour(row.camera, row.place, row.hour * HOUR_MS, ObjectClass(row.kind), row.went_in, row.went_out)
        for row in conn.execute(query)
    ]


def _hours(hour: Column[int], from_ms: int, to_ms: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return hour >= -(-from_ms // HOUR_MS), hour < -(-to_ms // HOUR_MS)
