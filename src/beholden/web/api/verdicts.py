"""What people say of events, and the measured card of each camera."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from beholden.access import rights
from beholden.access.refusal import NotPermittedError
from beholden.access.viewer import Viewer
from beholden.catalog import rules, verdicts
from beholden.catalog.verdicts import CardRow, Missed
from beholden.model.event import ObjectClass
from beholden.model.time import to_rfc3339
from beholden.model.verdict import Share, Verdict
from beholden.web.api.events import find
from beholden.web.context import Answer, Context, Ctx, Who
from beholden.web.event_view import show_event
from beholden.web.instants import Instant, parse
from beholden.web.number import Id
from beholden.web.shape import BoxBody, show_box

router = APIRouter()


class VerdictBody(BaseModel):
    """One word."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["right", "wrong"]


class MissedBody(BaseModel):
    """What was there and not reported; ``rule`` when one should have."""

    model_config = ConfigDict(extra="forbid")

    at: Instant
    kind: ObjectClass
    box: BoxBody
    rule: Id | None = None


@router.put("/events/{event_id}/verdict", response_model=None)
def give_verdict(ctx: Ctx, who: Who, event_id: Id, given: VerdictBody) -> Answer:
    """Say that an event is right or wrong."""
    find(ctx, who.user_id, event_id)
    with ctx.catalog.write() as conn:
        verdicts.give(conn, ctx.clock.now_ms(), event_id, Verdict(given.verdict), who.name)
    return show_event(find(ctx, who.user_id, event_id))


@router.delete("/events/{event_id}/verdict", status_code=204, response_model=None)
def withdraw_verdict(ctx: Ctx, who: Who, event_id: Id) -> Response:
    """Take it back."""
    find(ctx, who.user_id, event_id)
    with ctx.catalog.write() as conn:
        verdicts.withdraw(conn, ctx.clock.now_ms(), event_id, who.name)
    return Response(status_code=204)


@router.get("/cameras/{camera_id}/missed", response_model=None)
def get_missed(
    ctx: Ctx,
    who: Who,
    camera_id: Id,
    since: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to")] = None,
) -> Answer:
    """What was drawn as missed, newest first."""
    _check_past(ctx, who, camera_id)
    span = {"from_ms": parse(since)} if since else {}
    span |= {"to_ms": parse(until)} if until else {}
    with ctx.catalog.read() as conn:
        return {"missed": [_show_missed(item) for item in verdicts.missed(conn, camera_id, **span)]}


@router.post("/cameras/{camera_id}/missed", status_code=201, response_model=None)
def add_missed(ctx: Ctx, who: Who, camera_id: Id, given: MissedBody) -> Answer:
    """Draw what was missed."""
    _check_past(ctx, who, camera_id)
    now, box = ctx.clock.now_ms(), given.box.box()
    with ctx.catalog.write() as conn:
        if given.rule is not None and rules.get(conn, given.rule).camera != camera_id:
            raise rules.not_found(str(given.rule))
        made = verdicts.add_missed(
            conn, now, camera_id, given.kind, parse(given.at), box, who.name, given.rule
        )
    return _show_missed(made)


@router.delete("/missed/{missed_id}", status_code=204, response_model=None)
def remove_missed(ctx: Ctx, who: Who, missed_id: Id) -> Response:
    """It was a mistake."""
    with ctx.catalog.read() as conn:
        item = verdicts.get_missed(conn, missed_id)
    _check_past(ctx, who, item.camera)
    with ctx.catalog.write() as conn:
        verdicts.remove_missed(conn, ctx.clock.now_ms(), missed_id, who.name)
    return Response(status_code=204)


@router.get("/cameras/{camera_id}/card", response_model=None)
def get_card(ctx: Ctx, who: Who, camera_id: Id) -> Answer:
    """How well this camera does by what people said."""
    _check_past(ctx, who, camera_id)
    with ctx.catalog.read() as conn:
        rows, names = verdicts.card(conn, camera_id), rules.names(conn)
    return {"camera": camera_id, "rows": [show_row(row, names) for row in rows]}


def show_row(row: CardRow, names: dict[int, str]) -> Answer:
    """One line of a card."""
    return {
        "kind": row.kind.value,
        "rule": row.rule,
        "rule_name": names.get(row.rule) if row.rule is not None else None,
        "right": row.right,
        "wrong": row.wrong,
        "missed": row.missed,
        "precision": show_share(row.precision),
        "recall": show_share(row.recall),
    }


def show_share(share: Share | None) -> Answer | None:
    """A share with its sample and interval."""
    if share is None:
        return None
    low, high = share.interval()
    return {"value": round(share.value, 4), "low": round(low, 4), "high": round(high, 4), "of": share.of}


def _check_past(ctx: Context, who: Viewer, camera_id: int) -> None:
    if camera_id not in rights.seen_past(ctx.catalog, who.user_id):
        raise NotPermittedError("Your account may not see this.")


def _show_missed(item: Missed) -> Answer:
    return {
        "id": item.id,
        "camera": item.camera,
        "kind": item.kind.value,
        "rule": item.rule,
        "at": to_rfc3339(item.at_ms),
        "box": show_box(item.box),
        "marked": to_rfc3339(item.marked_ms),
        "by": item.marked_by,
    }
