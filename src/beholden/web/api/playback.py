"""What would be played of a camera for this browser: no footage, but where it is and what is done to it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query

from beholden.play.ability import Ability
from beholden.play.playlist import playback
from beholden.web.api.timeline import check_past
from beholden.web.context import Answer, Ctx, Who
from beholden.web.instants import Instant, parse, show
from beholden.web.number import Id

router = APIRouter()


@router.get("/cameras/{camera}/playback", response_model=None)
def get_playback(
    ctx: Ctx,
    who: Who,
    camera: Id,
    start: Annotated[Instant, Query(alias="from")],
    end: Annotated[Instant, Query(alias="to")],
    codecs: Annotated[str | None, Query(max_length=1000)] = None,
) -> Answer:
    """The address of the playlist over [from, to), its spans, and in words what is converted."""
    start_ms, end_ms = parse(start), parse(end)
    check_past(ctx, who, [camera])
    found = playback(ctx.footage, camera, start_ms, end_ms, Ability.parse(codecs))
    query = {"from": show(start_ms), "to": show(end_ms), **({"codecs": codecs} if codecs else {})}
    return {
        "playlist": f"/media/cameras/{camera}/playlist.m3u8?{urlencode(query)}",
        "from": show(start_ms),
        "to": show(end_ms),
        "video": found.video or None,
        "audio": found.audio or None,
        "spans": [{"start": show(begin), "end": show(stop)} for begin, stop in found.spans],
    }
