"""Volumes: the storage directories, their tiers and their limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from beholden.catalog import volumes
from beholden.model.errors import BeholdenError
from beholden.record.enlist import add_volume
from beholden.web.context import Admin, Answer, Context, Ctx
from beholden.web.health import show_disk
from beholden.web.number import Id

router = APIRouter()

Bytes = Annotated[int, Field(ge=0, le=1 << 53)]
Number = Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)]


class VolumeSettings(BaseModel):
    """What an added and a changed volume have in common. Checked again in ``catalog.volumes``."""

    model_config = ConfigDict(extra="forbid")

    tier: Annotated[int, Field(ge=0, le=volumes.MOST_TIER)] = 1
    floor_bytes: Bytes = volumes.DEFAULT_FLOOR_BYTES
    limit_bytes: Bytes | None = None
    move_after_days: Number | None = None
    sync_seconds: Number = volumes.DEFAULT_SYNC_SECONDS


class VolumeBody(VolumeSettings):
    """A directory of this machine to keep footage in."""

    path: Annotated[str, Field(min_length=1, max_length=4000)]
    adopt: bool = False


class ConfirmBody(BaseModel):
    """What is meant: that missing footage is really gone, or that so much is to be deleted."""

    model_config = ConfigDict(extra="forbid")

    question: Literal["missing", "deletion"]


@router.get("/volumes", response_model=None)
def get_volumes(ctx: Ctx, _admin: Admin) -> Answer:
    """All of them, the one that recorders write to first."""
    return {"volumes": [show_disk(disk) for disk in ctx.health.disks()]}


@router.post("/volumes", status_code=201, response_model=None)
def post_volume(ctx: Ctx, who: Admin, given: VolumeBody) -> Answer:
    """Add one. Footage moves there within the minute where its tier says so."""
    if "\0" in given.path:
        raise BeholdenError("bad_path", "A path has no zero byte.", "Correct it.")
    settings = given.model_dump(include=given.model_fields_set - {"path", "adopt"})
    made = add_volume(
        ctx.catalog, ctx.clock.now_ms(), Path(given.path), settings, adopt=given.adopt, by=who.name
    )
    return _one(ctx, made.id)


@router.patch("/volumes/{volume_id}", response_model=None)
def change_volume(ctx: Ctx, who: Admin, volume_id: Id, given: VolumeSettings) -> Answer:
    """Change some of its settings; what is absent stays."""
    changes: dict[str, Any] = given.model_dump(include=given.model_fields_set)
    with ctx.catalog.write() as conn:
        if changes:
            volumes.change(conn, ctx.clock.now_ms(), volume_id, changes, by=who.name)
        volumes.get(conn, volume_id)
    return _one(ctx, volume_id)


@router.post("/volumes/{volume_id}/confirm", status_code=204, response_model=None)
def confirm_volume(ctx: Ctx, who: Admin, volume_id: Id, given: ConfirmBody) -> Response:
    """Answer what the recorder asks before it believes that most footage is gone, or deletes most of it."""
    with ctx.catalog.write() as conn:
        volumes.confirm(conn, ctx.clock.now_ms(), volume_id, given.question, by=who.name)
    return Response(status_code=204)


def _one(ctx: Context, number: int) -> Answer:
    return next(show_disk(disk) for disk in ctx.health.disks() if disk.volume.id == number)
