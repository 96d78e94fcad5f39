"""Back-tests and what they found. The row is the job: whoever works on it says so in ``beat_ms``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from beholden.catalog import rules
from beholden.catalog.tables import backtest, backtest_event
from beholden.model.backtest import BacktestState, Found
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, event_kind
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import Rule

LONGEST_MS = 62 * 86_400_000
MOST_FOUND = 20_000
SILENT_MS = 30_000  # without a beat for so long, its worker has died
_OPEN = (BacktestState.QUEUED.value, BacktestState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, as it was when it was asked for: a rule with its place and plane, or (``rule`` None)
    every object in view. ``model`` is the name of another detector model; empty: the one in use."""

    rule: Rule | None
    place: Place | None
    ground: GroundPlane | None
    model: str = ""
    source: str = ""  # "decode": look at the footage again, even where boxes of it are stored


@dataclass(frozen=True, slots=True)
class Backtest:
    """One of them. Footage of [from, done) is done; ``footage_ms`` of it there was, ``work_ms`` it took."""

    id: int
    camera: int
    rule: int | None
    trial: Trial
    from_ms: int
    to_ms: int
    state: BacktestState
    source: str
    done_ms: int
    footage_ms: int
    work_ms: int
    reason: str
    created_ms: int
    created_by: str
    ended_ms: int | None
    found: int


def add(
    conn: Connection, at_ms: int, camera: int, trial: Trial, from_ms: int, to_ms: int, by: str, stored: bool
) -> Backtest:
    """Ask for one. ``stored``: its rule is the catalog's, as it is there. BeholdenError ``bad_range``,
    ``not_listened_to``."""
    if not 0 <= from_ms < to_ms or to_ms - from_ms > LONGEST_MS or from_ms >= at_ms:
        raise BeholdenError(
            "bad_range",
            "A back-test covers up to 62 days that are past.",
            "Choose another stretch of time.",
        )
    rule = trial.rule
    if rule is not None:
        rules.check_listened(conn, rule)
    values = {
        "camera": camera,
        "rule": rule.id if rule is not None and stored else None,
        "trial": json.dumps(_trial_json(trial), separators=(",", ":")),
        "sign": rules.sign(rule, trial.place, trial.ground) if rule is not None and not trial.model else "",
        "from_ms": from_ms,
        "to_ms": min(to_ms, at_ms),
        "state": BacktestState.QUEUED.value,
        "done_ms": from_ms,
        "created_ms": at_ms,
        "created_by": by,
    }
    made = conn.execute(insert(backtest).values(**values).returning(backtest.c.id)).scalar_one()
    return get(conn, int(made))


def get(conn: Connection, backtest_id: int) -> Backtest:
    """One; ``backtest_not_found``."""
    row = conn.execute(select(backtest).where(backtest.c.id == backtest_id)).first()
    if row is None:
        raise BeholdenError("backtest_not_found", f"There is no back-test {backtest_id}.")
    return _backtest(conn, row)


def page(
    conn: Connection, *, camera: int | None = None, rule: int | None = None, limit: int = 100
) -> list[Backtest]:
    """Newest first."""
    query = select(backtest).order_by(backtest.c.id.desc()).limit(limit)
    if camera is not None:
        query = query.where(backtest.c.camera == camera)
    if rule is not None:
        query = query.where(backtest.c.rule == rule)
    return [_backtest(conn, row) for row in conn.execute(query).all()]


def claim(conn: Connection, now_ms: int) -> Backtest | None:
    """Take the oldest that nobody works on: queued, or left by a worker that died. One at a time."""
    alive = select(backtest.c.id).where(
        backtest.c.state == BacktestState.RUNNING.value, backtest.c.beat_ms > now_ms - SILENT_MS
    )
    if conn.execute(alive).first() is not None:
        return None
    open_ones = select(backtest.c.id).where(backtest.c.state.in_(_OPEN)).order_by(backtest.c.id)
    found = conn.execute(open_ones).scalar()
    if found is None:
        return None
    conn.execute(
        update(backtest)
        .where(backtest.c.id == found)
        .values(state=BacktestState.RUNNING.value, beat_ms=now_ms)
    )
    return get(conn, int(found))


def waiting(conn: Connection, now_ms: int) -> bool:
    """Whether ``claim`` would find work."""
    running = (backtest.c.state == BacktestState.RUNNING.value) & (backtest.c.beat_ms > now_ms - SILENT_MS)
    if conn.execute(select(backtest.c.id).where(running)).first() is not None:
        return False
    return conn.execute(select(backtest.c.id).where(backtest.c.state.in_(_OPEN))).first() is not None


def advance(
    conn: Connection,
    now_ms: int,
    backtest_id: int,
    *,
    done_ms: int,
    footage_ms: int,
    work_ms: int,
    source: str,
) -> bool:
    """Say how far it is, and that its worker lives; False when it was cancelled or removed meanwhile."""
    values = {
        "done_ms": done_ms,
        "beat_ms": now_ms,
        "source": source,
        "footage_ms": footage_ms,
        "work_ms": work_ms,
    }
    going_on = update(backtest).where(
        backtest.c.id == backtest_id, backtest.c.state == BacktestState.RUNNING.value
    )
    return conn.execute(going_on.values(**values)).rowcount == 1


def release(conn: Connection, backtest_id: int) -> None:
    """Its worker leaves it; the next one may take it at once."""
    left = update(backtest).where(
        backtest.c.id == backtest_id, backtest.c.state == BacktestState.RUNNING.value
    )
    conn.execute(left.values(beat_ms=None))


def finish(conn: Connection, now_ms: int, backtest_id: int, found: Sequence[Found]) -> None:
    """It is through; what it found replaces what was there."""
    conn.execute(delete(backtest_event).where(backtest_event.c.backtest == backtest_id))
    rows = [{"backtest": backtest_id, "seq": seq, **_found_values(item)} for seq, item in enumerate(found, 1)]
    if rows:
        conn.execute(insert(backtest_event), rows[:MOST_FOUND])
    kept = f"Only the first {MOST_FOUND} of {len(found)} reports were kept." if len(rows) > MOST_FOUND else ""
    _end(conn, now_ms, backtest_id, BacktestState.DONE, kept)


def fail(conn: Connection, now_ms: int, backtest_id: int, reason: str) -> None:
    """It cannot go on."""
    _end(conn, now_ms, backtest_id, BacktestState.FAILED, reason)


def cancel(conn: Connection, now_ms: int, backtest_id: int) -> Backtest:
    """Stop it, if it has not ended; its worker notices within a second."""
    get(conn, backtest_id)
    _end(conn, now_ms, backtest_id, BacktestState.CANCELLED, "")
    return get(conn, backtest_id)


def remove(conn: Connection, backtest_id: int) -> None:
    """Forget it and what it found."""
    get(conn, backtest_id)
    conn.execute(delete(backtest_event).where(backtest_event.c.backtest == backtest_id))
    conn.execute(delete(backtest).where(backtest.c.id == backtest_id))


def found_in(conn: Connection, backtest_id: int, after: int = 0, limit: int = MOST_FOUND) -> list[Found]:
    """What it found in order of time, from number ``after`` + 1 on."""
    query = (
        select(backtest_event)
        .where(backtest_event.c.backtest == backtest_id, backtest_event.c.seq > after)
        .order_by(backtest_event.c.seq)
        .limit(limit)
    )
    return [_found(row) for row in conn.execute(query)]


def _end(conn: Connection, now_ms: int, backtest_id: int, state: BacktestState, reason: str) -> None:
    still_open = update(backtest).where(backtest.c.id == backtest_id, backtest.c.state.in_(_OPEN))
    conn.execute(still_open.values(state=state.value, reason=reason, ended_ms=now_ms))


def _backtest(conn: Connection, row: Row[Any]) -> Backtest:
    count = select(func.count()).select_from(backtest_event).where(backtest_event.c.backtest == row.id)
    return Backtest(
        id=row.id,
        camera=row.camera,
        rule=row.rule,
        trial=_trial(json.loads(row.trial)),
        from_ms=row.from_ms,
        to_ms=row.to_ms,
        state=BacktestState(row.state),
        source=row.source,
        done_ms=row.done_ms,
        footage_ms=row.footage_ms,
        work_ms=row.work_ms,
        reason=row.reason,
        created_ms=row.created_ms,
        created_by=row.created_by,
        ended_ms=row.ended_ms,
        found=int(conn.execute(count).scalar_one()),
    )


def _trial_json(trial: Trial) -> dict[str, Any]:
    place, ground = trial.place, trial.ground
    return {
        "rule": rules.as_json(trial.rule) if trial.rule is not None else None,
        "place": place and [place.id, place.camera, place.kind.value, place.name, place.points, place.rev],
        "ground": ground and [ground.camera, ground.points, ground.metres],
        "model": trial.model,
        "source": trial.source,
    }


def _trial(given: dict[str, Any]) -> Trial:
    place = ground = None
    if given["place"] is not None:
        number, camera, kind, name, points, rev = given["place"]
        place = Place(number, camera, PlaceKind(kind), name, tuple((x, y) for x, y in points), rev, 0)
    if given["ground"] is not None:
        camera, points, metres = given["ground"]
        (a, b, c, d), (e, f, g, h) = (tuple((x, y) for x, y in four) for four in (points, metres))
        ground = GroundPlane(camera, (a, b, c, d), (e, f, g, h), 0, 0)
    rule = rules.from_json(given["rule"]) if given["rule"] is not None else None
    return Trial(rule, place, ground, given["model"], given["source"])


def _found_values(item: Found) -> dict[str, Any]:
    box = item.box
    return {
        "kind": item.kind.value,
        "start_ms": item.start_ms,
        "end_ms": item.end_ms,
        "score": item.score,
        "box_left": box.left,
        "box_top": box.top,
        "box_right": box.right,
        "box_bottom": box.bottom,
        "detail": json.dumps(dict(item.detail), sort_keys=True, separators=(",", ":")),
    }


def _found(row: Row[Any]) -> Found:
    box = Box(row.box_left, row.box_top, row.box_right, row.box_bottom)
    return Found(event_kind(row.kind), row.start_ms, row.end_ms, row.score, box, json.loads(row.detail))
