"""Holds: what retention may not delete until a person releases it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from beholden.catalog import holds
from beholden.catalog.holds import Hold
from beholden.model.time import to_rfc3339
from beholden.web.context import Admin, Answer, Ctx
from beholden.web.instants import Instant, parse, show
from beholden.web.number import Id

router = APIRouter()


class HoldBody(BaseModel):
    """A range of one camera (``null``: of every camera) and why it must stay."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    camera: Id | None
    start: Annotated[Instant, Field(alias="from")]
    end: Annotated[Instant, Field(alias="to")]
    reason: Annotated[str, Field(max_length=holds.MOST_REASON)]


@router.get("/holds", response_model=None)
def get_holds(ctx: Ctx, _admin: Admin, released: bool = False) -> Answer:
    """Those that stand, or with ``released`` every one there ever was; newest first."""
    with ctx.catalog.read() as conn:
        found = holds.all_holds(conn)
    return {"holds": [_show(each) for each in found if released or each.released_ms is None]}


@router.post("/holds", status_code=201, response_model=None)
def add_hold(ctx: Ctx, who: Admin, given: HoldBody) -> Answer:
    """Hold a range; it counts from the next deletion on."""
    start_ms, end_ms = parse(given.start), parse(given.end)
    with ctx.catalog.write() as conn:
        made = holds.add(conn, ctx.clock.now_ms(), given.camera, start_ms, end_ms, given.reason, by=who.name)
    return _show(made)


@router.post("/holds/{hold_id}/release", response_model=None)
def release_hold(ctx: Ctx, who: Admin, hold_id: Id) -> Answer:
    """Let retention go on there."""
    with ctx.catalog.write() as conn:
        return _show(holds.release(conn, ctx.clock.now_ms(), hold_id, by=who.name))


def _show(each: Hold) -> Answer:
    return {
        "id": each.id,
        "camera": each.camera,
        "from": to_rfc3339(each.from_ms),
        "to": to_rfc3339(each.to_ms),
        "reason": each.reason,
        "created": to_rfc3339(each.created_ms),
        "created_by": each.created_by,
        "released": show(each.released_ms),
        "released_by": each.released_by,
    }
