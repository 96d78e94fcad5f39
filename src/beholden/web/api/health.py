"""Health: a word for anybody, the whole for those signed in."""

from __future__ import annotations

from fastapi import APIRouter

from beholden.access import rights
from beholden.web.context import Answer, Ctx, Who

router = APIRouter()
open_router = APIRouter()


@open_router.head("/healthz", response_model=None, include_in_schema=False)
@open_router.get("/healthz", response_model=None)
def healthz(ctx: Ctx) -> Answer:
    """``ok`` or ``degraded``, and nothing more: whoever asks may be anybody."""
    return {"status": ctx.health.report().status}


@router.get("/health", response_model=None)
def get_health(ctx: Ctx, who: Who) -> Answer:
    """Problems, storage, roles, cameras; a viewer gets the status and what concerns their cameras."""
    user = ctx.user(who)
    report = ctx.health.report()
    if who.is_admin:
        return ctx.health.show(report, None)
    numbers = [camera.id for camera in report.facts.cameras] if report.facts else []
    return ctx.health.show(report, rights.visible(user, numbers))
