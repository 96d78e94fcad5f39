"""Back-tests: what a rule, or another model, would have reported on recorded days."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from beholden.catalog import backtest_marks, backtests, cameras, places, rule_settings, rules
from beholden.catalog.backtest_marks import Marked
from beholden.catalog.backtests import Backtest, Trial
from beholden.model.backtest import BacktestState, Found
from beholden.model.place import Place
from beholden.model.time import to_rfc3339
from beholden.web.api.places import PlaceBody
from beholden.web.context import Admin, Answer, Ctx
from beholden.web.instants import Instant, parse, show
from beholden.web.number import Id
from beholden.web.rule_view import RuleBody
from beholden.web.shape import show_box

router = APIRouter()


class BacktestBody(BaseModel):
    """``rule`` is a stored one, or a draft; neither: every object in view. ``place`` draws the rule's place
    anew for this test alone. ``model`` names another detector model."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    camera: Id
    since: Annotated[Instant, Field(alias="from")]
    until: Annotated[Instant, Field(alias="to")]
    rule: Id | RuleBody | None = None
    place: PlaceBody | None = None
    model: Annotated[str, Field(max_length=100)] = ""
    decode: bool = False


@router.post("/backtests", status_code=201, response_model=None)
def add_backtest(ctx: Ctx, who: Admin, given: BacktestBody) -> Answer:
    """Ask for one; it begins within seconds, one at a time, and goes on after a restart."""
    now = ctx.clock.now_ms()
    with ctx.catalog.write() as conn:
        cameras.get(conn, None, given.camera)
        trial, stored = _trial(conn, given, now)
        made = backtests.add(
            conn, now, given.camera, trial, parse(given.since), parse(given.until), who.name, stored
        )
    return show_backtest(made)


@router.get("/backtests", response_model=None)
def get_backtests(
    ctx: Ctx,
    _who: Admin,
    camera: Id | None = None,
    rule: Id | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Answer:
    """Newest first."""
    with ctx.catalog.read() as conn:
        found = backtests.page(conn, camera=camera, rule=rule, limit=limit)
    return {"backtests": [show_backtest(item) for item in found]}


@router.get("/backtests/{backtest_id}", response_model=None)
def get_backtest(ctx: Ctx, _who: Admin, backtest_id: Id) -> Answer:
    """One, with how it compares with what people marked."""
    with ctx.catalog.read() as conn:
        item = backtests.get(conn, backtest_id)
        marked = backtest_marks.compare(conn, item) if item.state is BacktestState.DONE else None
    return {**show_backtest(item), "marks": marked.summary() if marked is not None else None}


@router.get("/backtests/{backtest_id}/events", response_model=None)
def get_backtest_events(
    ctx: Ctx,
    _who: Admin,
    backtest_id: Id,
    after: Id = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Answer:
    """What it would have reported, in order of time, each with what people marked there."""
    with ctx.catalog.read() as conn:
        item = backtests.get(conn, backtest_id)
        found = backtests.found_in(conn, backtest_id, after, limit + 1)
        marked = backtest_marks.compare(conn, item)
    shown = found[:limit]
    return {
        "events": [_show_found(after + place, one, marked) for place, one in enumerate(shown, 1)],
        "next": after + len(shown) if len(found) > limit else None,
    }


@router.post("/backtests/{backtest_id}/cancel", response_model=None)
def cancel_backtest(ctx: Ctx, _who: Admin, backtest_id: Id) -> Answer:
    """Stop it within a second, if it has not ended."""
    with ctx.catalog.write() as conn:
        return show_backtest(backtests.cancel(conn, ctx.clock.now_ms(), backtest_id))


@router.delete("/backtests/{backtest_id}", status_code=204, response_model=None)
def remove_backtest(ctx: Ctx, _who: Admin, backtest_id: Id) -> Response:
    """Forget it and what it found."""
    with ctx.catalog.write() as conn:
        backtests.remove(conn, backtest_id)
    return Response(status_code=204)


def show_backtest(item: Backtest) -> Answer:
    """One."""
    span = max(item.to_ms - item.from_ms, 1)
    rule, place = item.trial.rule, item.trial.place
    done = item.state is BacktestState.DONE
    return {
        "id": item.id,
        "camera": item.camera,
        "rule": item.rule,
        "rule_name": rule.name if rule is not None else None,
        "place_name": place.name if place is not None else None,
        "model": item.trial.model,
        "from": to_rfc3339(item.from_ms),
        "to": to_rfc3339(item.to_ms),
        "state": item.state.value,
        "progress": 1.0 if done else round(min(1.0, (item.done_ms - item.from_ms) / span), 4),
        "source": item.source or None,
        "footage_seconds": round(item.footage_ms / 1000, 1),
        "work_seconds": round(item.work_ms / 1000, 1),
        "found": item.found,
        "reason": item.reason,
        "created": to_rfc3339(item.created_ms),
        "created_by": item.created_by,
        "ended": show(item.ended_ms),
    }


def _trial(conn: Connection, given: BacktestBody, now_ms: int) -> tuple[Trial, bool]:
    """What is to be tried, and whether it is a rule of the catalog exactly as stored."""
    source = "decode" if given.decode else ""
    if given.rule is None:
        return Trial(None, None, None, given.model, source), False
    stored = isinstance(given.rule, int)
    rule = rules.get(conn, given.rule) if isinstance(given.rule, int) else given.rule.rule(given.camera)
    if rule.camera != given.camera:
        raise rules.not_found(str(rule.id))
    place = places.get(conn, rule.place) if rule.place is not None else None
    if given.place is not None:
        drawn = places.drawn(given.camera, given.place.kind, given.place.name, given.place.points, now_ms)
        place = drawn if place is None else _redrawn(place, drawn)
    ground = places.ground(conn, given.camera)
    rule_settings.check(rule, place, ground)
    return Trial(rule, place, ground, given.model, source), stored


def _redrawn(old: Place, new: Place) -> Place:
    return Place(old.id, old.camera, new.kind, old.name, new.points, old.rev, new.changed_ms)


def _show_found(seq: int, item: Found, marked: Marked) -> Answer:
    event, verdict = marked.event_at(item)
    return {
        "seq": seq,
        "kind": item.kind.value,
        "start": to_rfc3339(item.start_ms),
        "end": to_rfc3339(item.end_ms),
        "score": round(item.score, 3),
        "box": show_box(item.box),
        "detail": dict(item.detail),
        "event": event,
        "verdict": verdict,
    }
