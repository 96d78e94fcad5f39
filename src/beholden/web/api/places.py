"""Places of a camera: zones, lines, masks, and its ground plane."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from beholden.access import rights
from beholden.access.refusal import NotPermittedError
from beholden.access.viewer import Viewer
from beholden.catalog import places
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.time import to_rfc3339
from beholden.web.context import Admin, Answer, Context, Ctx, Who
from beholden.web.number import Id
from beholden.web.shape import Pair, Points, show_points

router = APIRouter()

Name = Annotated[str, Field(max_length=200)]
Four = tuple[Pair, Pair, Pair, Pair]


class PlaceBody(BaseModel):
    """A new place."""

    model_config = ConfigDict(extra="forbid")

    kind: PlaceKind
    name: Name
    points: Points


class PlaceChange(BaseModel):
    """What is absent stays. With ``rev``, only when it is still that revision."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    points: Points | None = None
    rev: Id | None = None


class GroundBody(BaseModel):
    """Four points of the picture and where they lie in metres."""

    model_config = ConfigDict(extra="forbid")

    points: Four
    metres: Four


@router.get("/cameras/{camera_id}/places", response_model=None)
def get_places(ctx: Ctx, who: Who, camera_id: Id) -> Answer:
    """All that is drawn on a camera's picture."""
    check_visible(ctx, who, camera_id)
    with ctx.catalog.read() as conn:
        drawn, plane = places.of_camera(conn, camera_id), places.ground(conn, camera_id)
    return {"places": [show_place(item) for item in drawn], "ground": show_ground(plane)}


@router.post("/cameras/{camera_id}/places", status_code=201, response_model=None)
def add_place(ctx: Ctx, who: Admin, camera_id: Id, given: PlaceBody) -> Answer:
    """Draw one."""
    with ctx.catalog.write() as conn:
        made = places.add(conn, ctx.clock.now_ms(), camera_id, given.kind, given.name, given.points, who.name)
    return show_place(made)


@router.patch("/places/{place_id}", response_model=None)
def change_place(ctx: Ctx, who: Admin, place_id: Id, given: PlaceChange) -> Answer:
    """Rename or redraw one; rules follow within a second."""
    with ctx.catalog.write() as conn:
        changed = places.change(
            conn,
            ctx.clock.now_ms(),
            place_id,
            name=given.name,
            points=given.points,
            rev=given.rev,
            by=who.name,
        )
    return show_place(changed)


@router.delete("/places/{place_id}", status_code=204, response_model=None)
def remove_place(ctx: Ctx, who: Admin, place_id: Id) -> Response:
    """Remove one no rule refers to."""
    with ctx.catalog.write() as conn:
        places.remove(conn, ctx.clock.now_ms(), place_id, who.name)
    return Response(status_code=204)


@router.put("/cameras/{camera_id}/ground", response_model=None)
def set_ground(ctx: Ctx, who: Admin, camera_id: Id, given: GroundBody) -> Answer:
    """Measure the ground."""
    with ctx.catalog.write() as conn:
        made = places.set_ground(conn, ctx.clock.now_ms(), camera_id, given.points, given.metres, who.name)
    return {"ground": show_ground(made)}


@router.delete("/cameras/{camera_id}/ground", status_code=204, response_model=None)
def remove_ground(ctx: Ctx, who: Admin, camera_id: Id) -> Response:
    """Forget what was measured."""
    with ctx.catalog.write() as conn:
        places.remove_ground(conn, ctx.clock.now_ms(), camera_id, who.name)
    return Response(status_code=204)


def check_visible(ctx: Context, who: Viewer, camera_id: int) -> None:
    """NotPermittedError unless the account has any right on the camera."""
    if not rights.visible(ctx.user(who), [camera_id]):
        raise NotPermittedError("Your account may not see this.")


def show_place(item: Place) -> Answer:
    """One."""
    return {
        "id": item.id,
        "camera": item.camera,
        "kind": item.kind.value,
        "name": item.name,
        "points": show_points(item.points),
        "rev": item.rev,
        "changed": to_rfc3339(item.changed_ms),
    }


def show_ground(plane: GroundPlane | None) -> Answer | None:
    """The plane, or None."""
    if plane is None:
        return None
    return {
        "points": show_points(plane.points),
        "metres": show_points(plane.metres),
        "rev": plane.rev,
        "changed": to_rfc3339(plane.changed_ms),
    }
