"""What people say of events: right, wrong, or missed. From it comes each camera's measured card."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_change

from beholden.catalog import events, journal
from beholden.catalog.drawing import check_inside
from beholden.catalog.tables import verdict
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, EventKind, ObjectClass, event_kind
from beholden.model.verdict import Share, Verdict


@dataclass(frozen=True, slots=True)
class Missed:
    """Something a person saw in the footage and no event tells of; ``rule`` is the one that should have."""

    id: int
    camera: int
    kind: ObjectClass
    rule: int | None
    at_ms: int
    box: Box
    marked_ms: int
    marked_by: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An event's verdict with when it happened; the event itself may be gone."""

    event: int
    kind: EventKind
    rule: int | None
    at_ms: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CardRow:
    """How well one class, or one rule and class, did on a camera by what people said."""

    kind: EventKind
    rule: int | None
    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> Share | None:
        """The share of reports that were right; None without a sample."""
        judged = self.right + self.wrong
        return Share(self.right, judged) if judged else None

    @property
    def recall(self) -> Share | None:
        """The share of what there was that was reported, as far as somebody looked: right ones against
        drawn misses. None while no miss was drawn: then nobody has looked for any."""
        return Share(self.right, self.right + self.missed) if self.missed else None


def give(conn: Connection, at_ms: int, event_id: int, said: Verdict, by: str) -> None:
    """Say that an event is right or wrong; a later word replaces an earlier one. ``event_not_found``."""
    found = events.get(conn, event_id)
    if found is None:
        raise BeholdenError("event_not_found", f"There is no event {event_id}.", "It may have been deleted.")
    if said is Verdict.MISSED:
        raise BeholdenError("bad_verdict", "What was reported was not missed.", "Say right or wrong.")
    item = found.event
    rule = item.hit.rule if item.hit is not None else None
    values = {
        "camera": item.camera,
        "event": event_id,
        "rule": rule,
        "kind": item.kind.value,
        "verdict": said.value,
        "at_ms": item.start_ms,
        "marked_ms": at_ms,
        "marked_by": by,
    }
    changed = {name: values[name] for name in ("kind", "verdict", "marked_ms", "marked_by")}
    statement = insert_or_change(verdict).values(**values)
    conn.execute(statement.on_conflict_do_update(index_elements=["event"], set_=changed))
    body = {"event": event_id, "kind": item.kind.value, "rule": rule, "verdict": said.value, "by": by}
    journal.append(conn, at_ms, "verdict_given", item.camera, body)


def withdraw(conn: Connection, at_ms: int, event_id: int, by: str) -> None:
    """Take back what was said of an event; nothing happens when nothing was."""
    row = conn.execute(
        delete(verdict).where(verdict.c.event == event_id).returning(verdict.c.camera, verdict.c.verdict)
    ).first()
    if row is not None:
        body = {"event": event_id, "verdict": row.verdict, "by": by}
        journal.append(conn, at_ms, "verdict_withdrawn", row.camera, body)


def add_missed(
    conn: Connection,
    at_ms: int,
    camera: int,
    kind: ObjectClass,
    seen_ms: int,
    box: Box,
    by: str,
    rule: int | None = None,
) -> Missed:
    """Somebody saw an object at ``seen_ms`` in ``box`` that no event tells of; ``place_outside``,
    ``bad_box``."""
    check_inside([(box.left, box.top), (box.right, box.bottom)])
    if box.right <= box.left or box.bottom <= box.top:
        raise BeholdenError("bad_box", "This box is empty.", "Draw it around the whole object.")
    values = {
        "camera": camera,
        "rule": rule,
        "kind": kind.value,
        "verdict": Verdict.MISSED.value,
        "at_ms": seen_ms,
        **{f"box_{name}": getattr(box, name) for name in ("left", "top", "right", "bottom")},
        "marked_ms": at_ms,
        "marked_by": by,
    }
    made = conn.execute(insert(verdict).values(**values).returning(verdict.c.id)).scalar_one()
    body = {"missed": int(made), "kind": kind.value, "rule": rule, "at_ms": seen_ms, "by": by}
    journal.append(conn, at_ms, "verdict_given", camera, {**body, "verdict": Verdict.MISSED.value})
    return get_missed(conn, int(made))


def get_missed(conn: Connection, missed_id: int) -> Missed:
    """One; ``missed_not_found``."""
    row = conn.execute(select(verdict).where(verdict.c.id == missed_id, verdict.c.event.is_(None))).first()
    if row is None:
        raise BeholdenError("missed_not_found", f"Nothing missed has the number {missed_id}.")
    return _missed(row)


def remove_missed(conn: Connection, at_ms: int, missed_id: int, by: str) -> None:
    """It was a mistake."""
    item = get_missed(conn, missed_id)
    conn.execute(delete(verdict).where(verdict.c.id == missed_id))
    body = {"missed": missed_id, "verdict": Verdict.MISSED.value, "by": by}
    journal.append(conn, at_ms, "verdict_withdrawn", item.camera, body)


def missed(conn: Connection, camera: int, from_ms: int = 0, to_ms: int = 1 << 53) -> list[Missed]:
    """What was drawn as missed within [from, to), newest first."""
    query = (
        select(verdict)
        .where(verdict.c.camera == camera, verdict.c.event.is_(None))
        .where(verdict.c.at_ms >= from_ms, verdict.c.at_ms < to_ms)
        .order_by(verdict.c.at_ms.desc(), verdict.c.id.desc())
    )
    return [_missed(row) for row in conn.execute(query)]


def judged(conn: Connection, camera: int, from_ms: int, to_ms: int) -> list[Judged]:
    """Verdicts on events that began within [from, to)."""
    query = select(verdict).where(
        verdict.c.camera == camera,
        verdict.c.event.is_not(None),
        verdict.c.at_ms >= from_ms,
        verdict.c.at_ms < to_ms,
    )
    return [
        Judged(row.event, event_kind(row.kind), row.rule, row.at_ms, Verdict(row.verdict))
        for row in conn.execute(query.order_by(verdict.c.at_ms, verdict.c.id))
    ]


def card(conn: Connection, camera: int) -> Sequence[CardRow]:
    """A camera's measured card: a row a class for objects in view, then a row a rule and class."""
    query = (
        select(verdict.c.kind, verdict.c.rule, verdict.c.verdict, func.count().label("many"))
        .where(verdict.c.camera == camera)
        .group_by(verdict.c.kind, verdict.c.rule, verdict.c.verdict)
    )
    found: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for row in conn.execute(query):
        found[row.rule or 0, row.kind][row.verdict] = row.many
    return [
        CardRow(event_kind(kind), rule or None, *(said.get(each.value, 0) for each in Verdict))
        for (rule, kind), said in sorted(found.items())
    ]


def _missed(row: Row[Any]) -> Missed:
    box = Box(row.box_left, row.box_top, row.box_right, row.box_bottom)
    kind = ObjectClass(row.kind)
    return Missed(row.id, row.camera, kind, row.rule, row.at_ms, box, row.marked_ms, row.marked_by)
