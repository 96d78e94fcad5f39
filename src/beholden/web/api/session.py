"""Signing in and out, own sessions, own password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

import beholden
from beholden.access.refusal import SignInRefusedError
from beholden.access.sessions import Started
from beholden.catalog import sites
from beholden.catalog.users import User, by_id
from beholden.model.errors import BeholdenError
from beholden.web.address import client_ip
from beholden.web.context import Answer, Ctx, Who, viewer_or_none
from beholden.web.cookie import clear_token, set_token
from beholden.web.instants import show
from beholden.web.number import Id

router = APIRouter()


class Credentials(BaseModel):
    """Either a name with a password, or a one-time token."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    username: Annotated[str, Field(max_length=200)] | None = None
    password: Annotated[str, Field(max_length=4096)] | None = None
    token: Annotated[str, Field(max_length=200)] | None = None


class NewPassword(BaseModel):
    """``current`` is not needed while no password has been chosen."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    current: Annotated[str, Field(max_length=4096)] | None = None
    new: Annotated[str, Field(max_length=4096)]


@router.get("/session", response_model=None)
def get_session(ctx: Ctx, request: Request) -> Answer:
    """Who is signed in, if anybody; without a session nothing is said but that."""
    viewer = viewer_or_none(request)
    if viewer is None:
        return {"user": None}
    with ctx.catalog.read() as conn:
        user = by_id(conn, viewer.user_id)
        site = sites.get(conn)
    if user is None:
        return {"user": None}
    place = {"name": site.name, "time_zone": site.time_zone}
    return {"user": describe(user), "site": place, "version": beholden.__version__}


@router.post("/session", response_model=None)
def sign_in(ctx: Ctx, request: Request, response: Response, given: Credentials) -> Answer:
    """Start a session and set its cookie. Every refusal says the same."""
    started = _start(ctx, request, given)
    secure = ctx.address.is_secure(request.scope)
    set_token(response, started.token, secure, started.max_age_seconds)
    return {"user": describe(ctx.user(started.viewer))}


@router.delete("/session", status_code=204, response_model=None)
def sign_out(ctx: Ctx, who: Who, request: Request) -> Response:
    """End this session."""
    ctx.sessions.end(who, who.session_id)
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    clear_token(response, ctx.address.is_secure(request.scope))
    return response


@router.get("/sessions", response_model=None)
def own_sessions(ctx: Ctx, who: Who) -> Answer:
    """The live sessions of one's own account."""
    return {
        "sessions": [
            {
                "id": str(session.id),
                "created": show(session.created_ms),
                "last_seen": show(session.last_seen_ms),
                "ip": session.ip,
                "agent": session.agent,
                "current": session.id == who.session_id,
            }
            for session in ctx.sessions.own(who)
        ]
    }


@router.delete("/sessions/{session_id}", status_code=204, response_model=None)
def end_session(ctx: Ctx, who: Who, session_id: Id) -> Response:
    """End one of them."""
    if not ctx.sessions.end(who, session_id):
        raise BeholdenError("session_not_found", "You have no such session.", "It may have ended already.")
    return Response(status_code=204)


@router.put("/password", status_code=204, response_model=None)
def choose_password(ctx: Ctx, who: Who, given: NewPassword) -> Response:
    """Set one's own password; all other sessions of the account end."""
    ctx.sign_in.choose_password(who, given.current, given.new)
    return Response(status_code=204)


def describe(user: User) -> Answer:
    """An account as its owner sees it."""
    grants = sorted(user.grants, key=lambda grant: (grant.camera or 0, grant.action))
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role.value,
        "must_set_password": user.password_hash is None,
        "grants": [{"camera": grant.camera, "action": grant.action.value} for grant in grants],
    }


def _start(ctx: Ctx, request: Request, given: Credentials) -> Started:
    ip = client_ip(request.scope)
    agent = request.headers.get("user-agent", "")[:300]
    if given.token:
        return ctx.sign_in.by_link(given.token, ip, agent)
    if given.username and given.password:
        return ctx.sign_in.by_password(given.username, given.password, ip, agent)
    raise SignInRefusedError("A user name and a password are needed.", "Enter both.")
