"""The timeline: spans, gaps with causes, and events, by camera."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from beholden.access import rights
from beholden.access.refusal import NoSuchCameraError, NotPermittedError
from beholden.access.viewer import Viewer
from beholden.catalog import cameras, events
from beholden.catalog.events import EventFilter
from beholden.model.errors import BeholdenError
from beholden.model.time import to_rfc3339
from beholden.play.timeline import Lane, lanes
from beholden.web.context import Answer, Context, Ctx, Who
from beholden.web.instants import Instant, parse, show
from beholden.web.number import Id

router = APIRouter()

MOST_CAMERAS = 64
MOST_EVENTS = 5000  # a lane: more cannot be told apart on a screen


@router.get("/timeline", response_model=None)
def get_timeline(
    ctx: Ctx,
    who: Who,
    camera: Annotated[list[Id], Query(min_length=1, max_length=MOST_CAMERAS)],
    start: Annotated[Instant, Query(alias="from")],
    end: Annotated[Instant, Query(alias="to")],
) -> Answer:
    """One lane for each camera asked, in that order; refused as a whole when one of them may not be seen."""
    start_ms, end_ms = parse(start), parse(end)
    if end_ms <= start_ms:
        raise BeholdenError("bad_range", "The end is not after the start.", "Choose a later end.")
    numbers = list(dict.fromkeys(camera))
    check_past(ctx, who, numbers)
    with ctx.catalog.read() as conn:
        found = lanes(conn, ctx.footage, numbers, start_ms, end_ms)
        shown = [_show(conn, each, start_ms, end_ms) for each in found]
    return {"from": to_rfc3339(start_ms), "to": to_rfc3339(end_ms), "lanes": shown}


def check_past(ctx: Context, who: Viewer, numbers: list[int]) -> None:
    """NotPermittedError unless the account may see the past of all these cameras. Blocks."""
    user = ctx.user(who)
    with ctx.catalog.read() as conn:
        known = cameras.names(conn)
    if rights.visible(user, numbers, rights.PAST) != set(numbers):
        raise NotPermittedError("Your account may not see this.")
    for number in numbers:
        if number not in known:
            raise NoSuchCameraError(number)


def _show(conn: Connection, found: Lane, start_ms: int, end_ms: int) -> Answer:
    wanted = EventFilter(cameras=[found.camera], since_ms=start_ms, until_ms=end_ms)
    return {
        "camera": found.camera,
        "spans": [{"start": show(span.start_ms), "end": show(span.end_ms)} for span in found.spans],
        "gaps": [
            {
                "start": show(gap.start_ms),
                "end": show(gap.end_ms),
                "cause": gap.cause.value,
                "words": gap.words,
            }
            for gap in found.gaps
        ],
        "events": [
            {
                "id": item.event.id,
                "kind": item.event.kind.value,
                "start": show(item.event.start_ms),
                "end": show(item.event.end_ms),
            }
            for item in reversed(events.page(conn, wanted, limit=MOST_EVENTS))
        ],
    }
