"""Events: list, read, mark as reviewed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from beholden.access import rights
from beholden.catalog import events
from beholden.catalog.events import EventFilter, Reviewable
from beholden.model.errors import BeholdenError
from beholden.model.event import Disturbance, ObjectClass
from beholden.model.rule import Severity
from beholden.web.context import Answer, Context, Ctx, Who
from beholden.web.event_view import show_event
from beholden.web.instants import Instant, parse
from beholden.web.number import Id

router = APIRouter()

MANY = 10_000


class Reviewed(BaseModel):
    """These events, or all that began before an instant."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], Field(max_length=MANY)] | None = None
    until: Instant | None = None
    reviewed: bool

    @model_validator(mode="after")
    def _one_of_both(self) -> Reviewed:
        if (self.ids is None) == (self.until is None):
            raise ValueError("give either ids or until")
        return self


@router.get("/events", response_model=None)
def get_events(
    ctx: Ctx,
    who: Who,
    camera: Annotated[list[Id], Query()] = [],  # noqa: B006 (FastAPI copies it)
    kind: Annotated[list[ObjectClass | Disturbance], Query(alias="class")] = [],  # noqa: B006
    since: Instant | None = None,
    until: Instant | None = None,
    reviewed: bool | None = None,
    severity: Severity | None = None,
    rule: Annotated[list[Id], Query()] = [],  # noqa: B006
    before: Id | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> Answer:
    """Newest first; ``before`` is the ``next`` of the page before. ``camera`` and ``class`` may repeat."""
    seen = _seen(ctx, who.user_id)
    wanted = EventFilter(
        cameras=sorted(seen & set(camera) if camera else seen),
        kinds=kind or None,
        since_ms=parse(since) if since else None,
        until_ms=parse(until) if until else None,
        reviewed=reviewed,
        severity=severity,
        rules=rule or None,
    )
    with ctx.catalog.read() as conn:
        after = events.get(conn, before) if before is not None else None
        place = (after.event.start_ms, after.event.id) if after else None
        page = events.page(conn, wanted, before=place, limit=limit + 1)
        unreviewed = events.count(conn, EventFilter(cameras=sorted(seen), reviewed=False))
    shown = page[:limit]
    return {
        "events": [show_event(item) for item in shown],
        "next": shown[-1].event.id if len(page) > limit else None,
        "unreviewed": unreviewed,
    }


@router.get("/events/{event_id}", response_model=None)
def get_event(ctx: Ctx, who: Who, event_id: Id) -> Answer:
    """One; of a camera whose past the account may not see it is said not to exist."""
    return show_event(find(ctx, who.user_id, event_id))


@router.post("/events/reviewed", response_model=None)
def mark_reviewed(ctx: Ctx, who: Who, given: Reviewed) -> Answer:
    """Mark those the account may see; others are left alone. Says how many changed."""
    wanted = EventFilter(
        cameras=sorted(_seen(ctx, who.user_id)), until_ms=parse(given.until) if given.until else None
    )
    with ctx.catalog.write() as conn:
        changed = events.mark_reviewed(
            conn, ctx.clock.now_ms(), who.user_id, wanted, given.reviewed, given.ids
        )
    return {"changed": changed}


def find(ctx: Context, user_id: int, event_id: int) -> Reviewable:
    """An event the account may know of; BeholdenError ``event_not_found``. Blocks."""
    with ctx.catalog.read() as conn:
        item = events.get(conn, event_id)
    if item is None or item.event.camera not in _seen(ctx, user_id):
        raise BeholdenError("event_not_found", f"There is no event {event_id}.", "It may have been deleted.")
    return item


def _seen(ctx: Context, user_id: int) -> set[int]:
    """Cameras, removed ones included, whose past this account may see."""
    return rights.seen_past(ctx.catalog, user_id)
