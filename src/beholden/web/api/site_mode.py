"""Whether people are expected: armed, home or away."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from beholden.catalog import sites
from beholden.catalog.sites import Site
from beholden.model.site import SiteMode
from beholden.web.context import Admin, Answer, Ctx, Who
from beholden.web.instants import show

router = APIRouter()


class ModeBody(BaseModel):
    """One word."""

    model_config = ConfigDict(extra="forbid")

    mode: SiteMode


@router.get("/site/mode", response_model=None)
def get_mode(ctx: Ctx, _who: Who) -> Answer:
    """As it is now."""
    with ctx.catalog.read() as conn:
        return _shown(sites.get(conn))


@router.put("/site/mode", response_model=None)
def set_mode(ctx: Ctx, who: Admin, given: ModeBody) -> Answer:
    """Set it; rules follow within a second."""
    with ctx.catalog.write() as conn:
        return _shown(sites.set_mode(conn, ctx.clock.now_ms(), given.mode, who.name))


def _shown(site: Site) -> Answer:
    return {"mode": site.mode.value, "since": show(site.mode_ms or None)}
