"""Who looked at what: the looks the door wrote."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from beholden.access.door import NO_CAMERA
from beholden.catalog import looks
from beholden.catalog.looks import Look
from beholden.web.context import Admin, Answer, Ctx
from beholden.web.instants import show
from beholden.web.number import Id

router = APIRouter()


@router.get("/looks", response_model=None)
def get_looks(
    ctx: Ctx, _admin: Admin, before: Id | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Answer:
    """Newest first; ``next`` is given when there are more."""
    with ctx.catalog.read() as conn:
        page = looks.page(conn, before=before, limit=limit + 1)
    rows = page[:limit]
    return {
        "looks": [describe(item) for item in rows],
        "next": rows[-1].id if len(page) > limit else None,
    }


def describe(item: Look) -> Answer:
    """One look; ``camera`` is null for an address that was tested and is no camera of this site."""
    return {
        "id": item.id,
        "at": show(item.at_ms),
        "user": item.user_name,
        "camera": None if item.camera == NO_CAMERA else item.camera,
        "action": item.action.value,
        "from": show(item.from_ms),
        "to": show(item.to_ms),
        "what": item.what,
        "ip": item.ip,
    }
