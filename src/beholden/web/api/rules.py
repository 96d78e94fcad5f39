"""Rules: what a camera reports, and how urgently."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from beholden.access import rights
from beholden.access.viewer import Viewer
from beholden.catalog import rules
from beholden.model.errors import BeholdenError
from beholden.model.rule import Rule
from beholden.web.api.places import check_visible
from beholden.web.context import Admin, Answer, Context, Ctx, Who
from beholden.web.number import Id
from beholden.web.rule_view import RuleBody, RuleChange, show_rule

router = APIRouter()


@router.get("/rules", response_model=None)
def get_rules(
    ctx: Ctx,
    who: Who,
    camera: Annotated[list[Id], Query()] = [],  # noqa: B006 (FastAPI copies it)
) -> Answer:
    """Those of the cameras the account may see; ``camera`` may repeat."""
    user = ctx.user(who)
    with ctx.catalog.read() as conn:
        found = [item for item in rules.all_present(conn) if not camera or item.camera in camera]
        seen = rights.visible(user, {item.camera for item in found})
        return {"rules": [_shown(conn, item) for item in found if item.camera in seen]}


@router.post("/cameras/{camera_id}/rules", status_code=201, response_model=None)
def add_rule(ctx: Ctx, who: Admin, camera_id: Id, given: RuleBody) -> Answer:
    """Store a new one, switched off unless ``untested``."""
    with ctx.catalog.write() as conn:
        made = rules.add(
            conn, ctx.clock.now_ms(), given.rule(camera_id), by=who.name, untested=given.untested
        )
        return _shown(conn, made)


@router.get("/rules/{rule_id}", response_model=None)
def get_rule(ctx: Ctx, who: Who, rule_id: Id) -> Answer:
    """One."""
    item = _find(ctx, who, rule_id)
    with ctx.catalog.read() as conn:
        return _shown(conn, item)


@router.patch("/rules/{rule_id}", response_model=None)
def change_rule(ctx: Ctx, who: Admin, rule_id: Id, given: RuleChange) -> Answer:
    """Change some of it, or switch it on or off; it follows within a second."""
    changes = given.fields(given.model_fields_set)
    with ctx.catalog.write() as conn:
        changed = rules.change(
            conn,
            ctx.clock.now_ms(),
            rule_id,
            changes,
            by=who.name,
            rev=given.rev,
            untested=given.untested,
        )
        return _shown(conn, changed)


@router.delete("/rules/{rule_id}", status_code=204, response_model=None)
def remove_rule(ctx: Ctx, who: Admin, rule_id: Id) -> Response:
    """Remove it; what it reported stays."""
    with ctx.catalog.write() as conn:
        rules.remove(conn, ctx.clock.now_ms(), rule_id, who.name)
    return Response(status_code=204)


def _find(ctx: Context, who: Viewer, rule_id: int) -> Rule:
    """A rule of a camera the account may see; others are said not to exist."""
    with ctx.catalog.read() as conn:
        item = rules.get(conn, rule_id)
    try:
        check_visible(ctx, who, item.camera)
    except BeholdenError:
        raise rules.not_found(str(rule_id)) from None
    return item


def _shown(conn: Connection, item: Rule) -> Answer:
    return show_rule(item, rules.tested(conn, item))
