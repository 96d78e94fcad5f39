"""Cameras: see, add, change, remove, try out."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from beholden.access import rights
from beholden.access.door import Pass
from beholden.access.refusal import NoSuchCameraError, NotPermittedError
from beholden.access.viewer import Viewer
from beholden.catalog import camera_settings, cameras
from beholden.catalog.cameras import NewCamera
from beholden.model.access import Action
from beholden.model.camera import RecordingMode, RecordingWindow, StreamAddress, StreamRole, Transport
from beholden.model.errors import BeholdenError
from beholden.web.camera_view import show_all
from beholden.web.context import Admin, Answer, Context, Ctx, Who
from beholden.web.number import Id
from beholden.web.trial import Tried

router = APIRouter()

Url = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(max_length=200)]
Secret = Annotated[str, Field(max_length=500)]
Days = Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)]
Analyse = Literal["balanced", "always", "keyframes", "off"]
Certificate = Annotated[str, Field(max_length=200), AfterValidator(camera_settings.parse_certificate)]
Bytes = Annotated[int, Field(gt=0, le=1 << 53)]


class WindowBody(BaseModel):
    """A stretch of each week in which a camera with mode ``schedule`` records; Monday is 0."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    weekday: Annotated[int, Field(ge=0, le=6)]
    from_minute: Annotated[int, Field(ge=0, lt=1440)]
    to_minute: Annotated[int, Field(gt=0, le=1440)]
    mode: Literal["continuous", "events"] = "continuous"


class CameraSettings(BaseModel):
    """What an added and a changed camera have in common. Checked again in ``catalog.camera_settings``."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    sub_url: Url | None = None
    record: bool = True
    record_audio: bool = True
    analyse: Analyse = "balanced"
    transport: Literal["auto", "tcp", "udp"] = "auto"
    certificate: Certificate = "verify"
    mode: Literal["continuous", "events", "schedule"] = "continuous"
    pre_seconds: Annotated[int, Field(ge=0, le=60)] = 5
    post_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    windows: Annotated[list[WindowBody], Field(max_length=168)] = []
    keep_days: Days = cameras.DEFAULT_KEEP_DAYS
    keep_event_days: Days | None = None
    max_days: Days | None = None
    max_bytes: Bytes | None = None
    memory_bytes: Bytes | None = None
    listen: bool = False
    detect_main: bool = False

    def settings(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the fields above that are in ``names``, as the catalog takes them."""
        given = self.model_dump(include=set(names) & CameraSettings.model_fields.keys())
        if "windows" in given:
            given["windows"] = tuple(
                RecordingWindow(each.weekday, each.from_minute, each.to_minute, RecordingMode(each.mode))
                for each in self.windows
            )
        if "sub_url" in given:
            given["sub_url"] = given["sub_url"] or None
        return given


class CameraBody(CameraSettings):
    """An added camera. A URL may carry user information; it is split off and sealed."""

    name: Name
    url: Url
    username: Name | None = None
    password: Secret | None = None


class CameraChange(CameraSettings):
    """What is to change; what is absent stays. ``sub_url: null`` removes the sub stream."""

    name: Name = ""
    url: Url = ""
    username: Name = ""
    password: Secret = ""
    enabled: bool = True


class TrialBody(BaseModel):
    """Either an address with its login, or a stored camera with its own."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Url | None = None
    username: Name = ""
    password: Secret = ""
    camera: Id | None = None
    stream: Literal["main", "sub"] = "main"
    transport: Literal["auto", "tcp", "udp"] = "auto"
    certificate: Certificate = "verify"

    @model_validator(mode="after")
    def _one_of_both(self) -> TrialBody:
        if (self.url is None) == (self.camera is None):
            raise ValueError("give either url or camera")
        return self


@router.get("/cameras", response_model=None)
def get_cameras(ctx: Ctx, who: Who) -> Answer:
    """Those the account may see."""
    user = ctx.user(who)
    shown = show_all(ctx)
    seen = rights.visible(user, [camera["id"] for camera in shown])
    return {"cameras": [camera for camera in shown if camera["id"] in seen]}


@router.post("/cameras", status_code=201, response_model=None)
def add_camera(ctx: Ctx, who: Admin, given: CameraBody) -> Answer:
    """Add one; recorders take it up within a second."""
    new = NewCamera(
        name=given.name,
        main_url=given.url,
        username=given.username,
        password=given.password,
        **given.settings(CameraSettings.model_fields),
    )
    with ctx.catalog.write() as conn:
        camera_id = cameras.add(conn, ctx.box, ctx.clock.now_ms(), new, by=who.name)
    return _one(ctx, camera_id)


# Before the routes with a number in the same place.
@router.post("/cameras/test", response_model=None)
async def try_camera(ctx: Ctx, who: Admin, given: TrialBody) -> Answer:
    """Pull some seconds and say what was found. A bad camera is an answer, not an error."""
    try:
        address, leave = await ctx.in_thread(_trial_of, ctx, who, given)
    except BeholdenError as error:
        if error.code != "bad_url":
            raise
        return show_trial(Tried("bad", error.message, error.next_step, {}))
    return show_trial(await ctx.trial_in_thread(address, leave))


@router.get("/cameras/{camera_id}", response_model=None)
def get_camera(ctx: Ctx, who: Who, camera_id: Id) -> Answer:
    """One of them."""
    if not rights.visible(ctx.user(who), [camera_id]):
        raise NotPermittedError("Your account may not see this.")
    return _one(ctx, camera_id)


@router.patch("/cameras/{camera_id}", response_model=None)
def change_camera(ctx: Ctx, who: Admin, camera_id: Id, given: CameraChange) -> Answer:
    """Change some of its settings; other cameras are not touched."""
    named = {"name", "url", "username", "password", "enabled"} & given.model_fields_set
    changes: dict[str, Any] = {**given.model_dump(include=named), **given.settings(given.model_fields_set)}
    if "url" in changes:
        changes["main_url"] = changes.pop("url")
    if changes:
        with ctx.catalog.write() as conn:
            cameras.change(conn, ctx.box, ctx.clock.now_ms(), camera_id, changes, by=who.name)
    return _one(ctx, camera_id)


@router.delete("/cameras/{camera_id}", status_code=204, response_model=None)
def remove_camera(
    ctx: Ctx, who: Admin, camera_id: Id, footage: Literal["keep", "delete"] = "keep"
) -> Response:
    """Stop using it. What was recorded stays until its retention ends, or ends with it."""
    with ctx.catalog.write() as conn:
        cameras.remove(conn, ctx.clock.now_ms(), camera_id, delete_footage=footage == "delete", by=who.name)
    return Response(status_code=204)


def show_trial(tried: Tried) -> Answer:
    """A trial's findings; the picture is inside, so that it is never stored under an address."""
    facts = {
        name: tried.facts.get(name)
        for name in (
            "codec", "width", "height", "fps", "gop_seconds", "kbps", "audio_codec", "transport",
            "clock_offset_ms",
        )
    }  # fmt: skip
    still = tried.still
    picture = "data:image/jpeg;base64," + base64.b64encode(still).decode() if still else None
    return {
        "verdict": tried.verdict,
        "sentence": tried.sentence,
        "next_step": tried.next_step,
        **facts,
        "remarks": [{"level": level, "text": text} for level, text in tried.remarks],
        "still": picture,
    }


def _one(ctx: Context, camera_id: int) -> Answer:
    shown = show_all(ctx, {camera_id})
    if not shown:
        raise NoSuchCameraError(camera_id)
    return shown[0]


def _trial_of(ctx: Context, who: Viewer, given: TrialBody) -> tuple[StreamAddress, Pass]:
    """The address to try, and the leave for its picture: seeing what a camera shows is a look."""
    if given.camera is None:
        address = cameras.split_url(given.url or "")
        login = StreamAddress(
            address.url,
            given.username or address.username,
            given.password or address.password,
            Transport(given.transport),
            given.certificate,
        )
        return login, ctx.door.open_address(who, address.url)
    role = StreamRole[given.stream.upper()]
    with ctx.catalog.read() as conn:
        stored = cameras.get(conn, ctx.box, given.camera).address(role)
    if stored is None:
        raise BeholdenError("no_sub_stream", "This camera has no sub stream.", "Give it one in its settings.")
    # What is about to be set may be tried with the stored password, which the browser does not have.
    if "transport" in given.model_fields_set:
        stored = replace(stored, transport=Transport(given.transport))
    if "certificate" in given.model_fields_set:
        stored = replace(stored, certificate=given.certificate)
    now = ctx.clock.now_ms()
    leave = ctx.door.open(who, given.camera, Action.STILL, now, now, f"test of {given.stream} stream")
    return stored, leave
