"""The site's name and clock zone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from beholden.catalog import sites
from beholden.web.context import Admin, Answer, Ctx, Who

router = APIRouter()


class SiteChange(BaseModel):
    """Both are given."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    time_zone: Annotated[str, Field(max_length=64)]


@router.get("/site", response_model=None)
def get_site(ctx: Ctx, _who: Who) -> Answer:
    """Name and IANA zone."""
    with ctx.catalog.read() as conn:
        site = sites.get(conn)
    return {"name": site.name, "time_zone": site.time_zone}


@router.put("/site", response_model=None)
def change_site(ctx: Ctx, _admin: Admin, given: SiteChange) -> Answer:
    """Rename it, or change its zone."""
    with ctx.catalog.write() as conn:
        sites.change(conn, ctx.clock.now_ms(), name=given.name, time_zone=given.time_zone)
        site = sites.get(conn)
    return {"name": site.name, "time_zone": site.time_zone}
