"""Every address from which footage leaves: recorded files, conversions, downloads, stills, live view.

Each asks the door first and hands its pass to the function that sends bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from beholden.access import rights
from beholden.access.door import Door, Pass
from beholden.access.refusal import NotPermittedError
from beholden.catalog import Catalog, cameras, events, places, sites
from beholden.catalog.users import by_id
from beholden.live.hub import Hub
from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.event import Event
from beholden.model.place import PlaceKind
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock, from_ms, ticks_to_ms, to_rfc3339
from beholden.play import mp4, still
from beholden.play.ability import Ability, Rendition
from beholden.play.conversions import Conversions
from beholden.play.footage import Footage, Recording, not_recorded
from beholden.play.mp4 import Part, SpanFile
from beholden.play.playlist import Playback, playback
from beholden.play.spans import Spans
from beholden.play.workshop import Workshop
from beholden.redact.still import Polygons
from beholden.redact.stills import Stills
from beholden.store.stills import still_path
from beholden.web.context import viewer
from beholden.web.instants import parse
from beholden.web.live import serve_live
from beholden.web.ranges import ContentResponse, FileResponse, SpanContent

T = TypeVar("T")
_MP4 = "video/mp4"
_HLS = "application/vnd.apple.mpegurl"
_NO_STORE = {"Cache-Control": "no-store"}
_GROWING_MS = 60_000
_PRIVATE = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Media:
    """What these routes need, made once per web role. ``stills`` is the folder of event stills, ``showing``
    the way they leave."""

    catalog: Catalog
    door: Door
    clock: Clock
    footage: Footage
    spans: Spans
    workshop: Workshop
    conversions: Conversions
    hub: Hub
    stills: Path
    showing: Stills

    def routes(self) -> list[BaseRoute]:
        """The routes, to be put behind the gate."""
        segment = "/media/segments/{camera:int}/{stream}/{name}"
        return [
            Route("/media/cameras/{camera:int}/playlist.m3u8", self.get_playlist),
            Route("/media/cameras/{camera:int}/download.mp4", self.get_download),
            Route("/media/cameras/{camera:int}/downloads", self.get_parts),
            Route("/media/cameras/{camera:int}/span.mp4", self.get_span),
            Route("/media/cameras/{camera:int}/still.jpg", self.get_still),
            Route("/media/events/{event:int}/still.jpg", self.get_event_still),
            Route(segment + ".mp4", self.get_segment),
            Route(segment + "/init.mp4", self.get_converted_init),
            Route(segment + "/{first:int}.m4s", self.get_converted),
            WebSocketRoute("/ws/live/{camera:int}", self.live),
        ]

    async def get_playlist(self, request: Request) -> Response:
        """HLS over [from, to)."""
        found = await to_thread.run_sync(self._playback, request)
        headers = dict(_NO_STORE)
        if found.converted:
            headers["X-Beholden-Conversion"] = f"video {found.video}; audio {found.audio}"
        return Response(found.playlist, media_type=_HLS, headers=headers)

    async def get_segment(self, request: Request) -> FileResponse:
        """A recorded file, or a part of it."""
        recording, leave = await self._enter_file(request)
        return FileResponse(recording.path, recording.name, _MP4, leave)

    async def get_converted_init(self, request: Request) -> Response:
        """The init segment of a recorded file, as it is or of a conversion: no footage, so no look."""
        rendition = Rendition.parse(request.query_params.get("as", ""))
        key = _segment_key(request)
        await to_thread.run_sync(self._check_right, request, key.camera, Action.PLAYBACK)
        recording = await to_thread.run_sync(self.footage.get, key)
        made = await unless_gone(request, self.conversions.init(recording, rendition))
        return Response(made, media_type=_MP4, headers=_PRIVATE)

    async def get_converted(self, request: Request) -> Response:
        """Some fragments, converted."""
        rendition = Rendition.parse(request.query_params.get("as", ""))
        first, count = int(request.path_params["first"]), _number(request, "fragments")
        recording, leave = await self._enter_file(request)
        made = await unless_gone(request, self.conversions.piece(recording, first, count, rendition, leave))
        return Response(made, media_type="video/iso.segment", headers=_PRIVATE)

    async def get_download(self, request: Request) -> ContentResponse:
        """[from, to) as one MP4 to keep."""
        span, leave = await self._enter_span(request, Action.DOWNLOAD, "download")
        name = await to_thread.run_sync(self._file_name, span.camera, span.start_ms)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "X-Beholden-Gaps": str(span.gaps),
            **_NO_STORE,
        }
        return ContentResponse(SpanContent(span, leave), f'"{span.etag}"', _MP4, headers)

    async def get_span(self, request: Request) -> ContentResponse:
        """[from, to) as one MP4 to look at: a player fetches the parts it wants."""
        span, leave = await self._enter_span(request, Action.PLAYBACK, "span")
        headers = {"X-Beholden-Gaps": str(span.gaps), "Cache-Control": "private, no-cache"}
        return ContentResponse(SpanContent(span, leave), f'"{span.etag}"', _MP4, headers)

    async def get_parts(self, request: Request) -> Response:
        """Into which files [from, to) goes: one, unless the camera's pictures changed to another kind."""
        camera, (start_ms, end_ms) = int(request.path_params["camera"]), _span(request)
        await to_thread.run_sync(self._check_right, request, camera, Action.DOWNLOAD)
        parts = await to_thread.run_sync(mp4.span_parts, self.footage, camera, start_ms, end_ms)
        return JSONResponse({"parts": [_described(camera, part) for part in parts]}, headers=_NO_STORE)

    async def get_still(self, request: Request) -> Response:
        """A decoded picture of an instant."""
        camera, at_ms = int(request.path_params["camera"]), _instant(request, "at")
        leave = await self._open(request, camera, Action.STILL, at_ms, at_ms, "still")
        recording, gop = await to_thread.run_sync(still.find, self.footage, camera, at_ms)
        masks = await to_thread.run_sync(privacy_masks, self.catalog, camera)
        made = await unless_gone(request, self.showing.at(recording, gop, at_ms, masks, leave))
        return Response(made, media_type="image/jpeg", headers=_PRIVATE)

    async def get_event_still(self, request: Request) -> Response | FileResponse:
        """An event's best still."""
        number = int(request.path_params["event"])
        found = await to_thread.run_sync(self._event, number)
        leave = await self._open(
            request, found.camera, Action.STILL, found.still_ms, found.still_ms, f"event {number} still"
        )
        path, version = event_still_path(self.stills, found), f"{number}-{found.still_ms:x}"
        masks = await to_thread.run_sync(privacy_masks, self.catalog, found.camera)
        made = await unless_gone(request, self.showing.of_event(path, version, masks, leave))
        if made is None:
            return FileResponse(path, version, "image/jpeg", leave)
        return Response(made, media_type="image/jpeg", headers=_PRIVATE)

    async def live(self, websocket: WebSocket) -> None:
        """Live view; the look is written before the first message."""
        await serve_live(websocket, self.hub)

    def _playback(self, request: Request) -> Playback:
        camera, (start_ms, end_ms) = int(request.path_params["camera"]), _span(request)
        self._check_right(request, camera, Action.PLAYBACK)
        ability = Ability.parse(request.query_params.get("codecs"))
        return playback(self.footage, camera, start_ms, end_ms, ability)

    def _check_right(self, request: Request, camera: int, action: Action) -> None:
        with self.catalog.read() as conn:
            user = by_id(conn, viewer(request).user_id)
        if user is None or not rights.may(user, camera, action):
            raise NotPermittedError("Your account may not see this.")

    async def _enter_file(self, request: Request) -> tuple[Recording, Pass]:
        key = _segment_key(request)
        await to_thread.run_sync(self._check_right, request, key.camera, Action.PLAYBACK)
        recording = await to_thread.run_sync(self.footage.get, key)
        start_ms, end_ms = key.start_ms, ticks_to_ms(recording.end)
        if recording.growing:
            # One look a minute of it, not one a request; all that is read lies within.
            end_ms = start_ms - (start_ms - end_ms) // _GROWING_MS * _GROWING_MS
        what = f"{key.stream.name.lower()} {recording.name}"
        return recording, await self._open(request, key.camera, Action.PLAYBACK, start_ms, end_ms, what)

    async def _enter_span(self, request: Request, action: Action, what: str) -> tuple[SpanFile, Pass]:
        camera, (start_ms, end_ms) = int(request.path_params["camera"]), _span(request)
        # Planning reads no picture, but tells what is there: the right comes first, the look with the pass.
        await to_thread.run_sync(self._check_right, request, camera, action)
        span = await to_thread.run_sync(self.spans.get, camera, start_ms, end_ms)
        return span, await self._open(request, camera, action, span.first_ms, span.end_ms, what)

    async def _open(
        self, request: Request, camera: int, action: Action, start_ms: int, end_ms: int, what: str
    ) -> Pass:
        who = viewer(request)
        return await to_thread.run_sync(self.door.open, who, camera, action, start_ms, end_ms, what)

    def _event(self, number: int) -> Event:
        with self.catalog.read() as conn:
            found = events.get(conn, number)
        if found is None or not found.event.still_size:
            raise BeholdenError("event_not_found", "There is no such event, or it has no still.", "")
        return found.event

    def _file_name(self, camera: int, start_ms: int) -> str:
        with self.catalog.read() as conn:
            name = cameras.names(conn).get(camera, f"camera-{camera}")
            zone = ZoneInfo(sites.get(conn).time_zone)
        return mp4.file_name(name, from_ms(start_ms).astimezone(zone).strftime("%Y-%m-%d_%H-%M-%S"))


def privacy_masks(catalog: Catalog, camera: int) -> Polygons:
    """What is black in every still of a camera. Blocks."""
    with catalog.read() as conn:
        drawn = places.of_camera(conn, camera, [PlaceKind.PRIVACY])
    return tuple(place.points for place in drawn)


def event_still_path(stills: Path, event: Event) -> Path:
    """Where an event's best still lies."""
    return still_path(stills, event.camera, event.start_ms, event.id)


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when the browser goes away before it is done."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise BeholdenError("gone", "The browser did not wait.", "")
        return task.result()
    finally:
        gone.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _described(camera: int, part: Part) -> dict[str, str]:
    begin, end = to_rfc3339(part.start_ms), to_rfc3339(part.end_ms)
    query = urlencode({"from": begin, "to": end}, safe=":")
    url = f"/media/cameras/{camera}/download.mp4?{query}"
    return {"from": begin, "to": end, "codec": part.codec, "url": url}


def _segment_key(request: Request) -> SegmentKey:
    try:
        stream = StreamRole[str(request.path_params["stream"]).upper()]
        start, _, epoch = str(request.path_params["name"]).partition("-")
        if not (start.isdecimal() and epoch.isdecimal() and len(start) < 15 and len(epoch) < 9):
            raise not_recorded()
        return SegmentKey(int(request.path_params["camera"]), stream, int(start), int(epoch))
    except (KeyError, ValueError):
        raise not_recorded() from None


def _span(request: Request) -> tuple[int, int]:
    return _instant(request, "from"), _instant(request, "to")


def _instant(request: Request, name: str) -> int:
    return parse(request.query_params.get(name, ""))


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "1")
    if not text.isdecimal() or len(text) > 6:
        raise BeholdenError("bad_request", f"{name} is not a number.", "Load the playlist again.")
    return int(text)
