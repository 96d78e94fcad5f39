"""One viewer of one camera: which stream, how converted, and what is said while no pictures come."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from beholden.live.fragments import Packager
from beholden.live.hub import Hub, Listener
from beholden.live.transcode import GopTranscoder
from beholden.model.access import Action
from beholden.model.camera import CameraConfig, StreamRole
from beholden.model.media import AccessUnit, StreamFormat
from beholden.model.time import Clock, to_rfc3339
from beholden.play.ability import Ability, AudioWay, choose_audio
from beholden.play.leave import Leave
from beholden.play.workshop import Workshop

FORMAT_SECONDS = 2.0
STALLED_SECONDS = 3.0
WALL_SECONDS = 0.1
_STAMP = struct.Struct(">Q")


class Socket(Protocol):
    """What a session needs of a WebSocket."""

    async def send_json(self, data: Any) -> None:
        """Send an object as text."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The stream that is shown. ``convert`` says that its video becomes H.264; ``reason`` is for a person."""

    stream: StreamRole
    convert: bool
    reason: str


@dataclass(slots=True)
class _Showing:
    """What the viewer has been told to expect."""

    packager: Packager
    transcoder: GopTranscoder | None


class LiveSession:
    """Serves one WebSocket until it is cancelled. ``single`` is the close view of one camera: each picture
    is sent as it comes; otherwise they are gathered for a tenth of a second."""

    def __init__(
        self,
        hub: Hub,
        workshop: Workshop,
        clock: Clock,
        camera: CameraConfig,
        ability: Ability,
        *,
        single: bool,
    ) -> None:
        self._hub = hub
        self._workshop = workshop
        self._clock = clock
        self._camera = camera
        self._ability = ability
        self._single = single

    async def serve(self, socket: Socket, leave: Leave) -> None:
        """Send the live view, all under ``leave``; ends only by cancellation or a lost socket."""
        leave.require(self._camera.id, Action.LIVE)
        choice, listener = await self._choose(socket)
        try:
            await self._show(socket, choice, listener)
        finally:
            await self._hub.leave(listener)

    async def _choose(self, socket: Socket) -> tuple[Choice, Listener]:
        """The first stream the browser plays as it is, else the smallest, converted."""
        wanted = [StreamRole.MAIN, StreamRole.SUB] if self._single else [StreamRole.SUB, StreamRole.MAIN]
        roles = [role for role in wanted if self._camera.address(role) is not None]
        unplayable: list[str] = []
        silent: list[StreamRole] = []
        for role in roles:
            listener = await self._hub.join(self._camera.id, role, fast=self._single)
            found = await _format_of(listener, FORMAT_SECONDS)
            if found is not None and self._ability.plays(found.video.codec_string):
                await self._hub.leave(listener)
                again = await self._hub.join(self._camera.id, role, fast=self._single)
                return Choice(role, False, _reason(role, wanted[0], unplayable, silent)), again
            await self._hub.leave(listener)
            if found is None:
                silent.append(role)
            else:
                unplayable.append(found.video.codec.upper())
        if silent and not unplayable:
            await socket.send_json(
                {"kind": "state", "state": "connecting", "reason": "No picture has come yet."}
            )
        role = roles[0] if silent and not unplayable else roles[-1] if self._single else roles[0]
        listener = await self._hub.join(self._camera.id, role, fast=self._single)
        return Choice(role, bool(unplayable), _reason(role, wanted[0], unplayable, silent)), listener

    async def _show(self, socket: Socket, choice: Choice, listener: Listener) -> None:
        showing: _Showing | None = None
        heard = self._clock.monotonic()
        heard_ms = self._clock.now_ms()
        told = False
        while True:
            items = await listener.take(STALLED_SECONDS / 3)
            if not items:
                if not told and self._clock.monotonic() - heard > STALLED_SECONDS:
                    told = True
                    await socket.send_json({"kind": "stalled", "since": to_rfc3339(heard_ms)})
                continue
            heard, heard_ms, told = self._clock.monotonic(), self._clock.now_ms(), False
            for stream_format, units in _by_format(items):
                if stream_format is not None:
                    showing = await self._begin(socket, choice, stream_format)
                if showing is not None and units:
                    await self._send(socket, showing, units)
            if not self._single:
                await asyncio.sleep(WALL_SECONDS)

    async def _begin(self, socket: Socket, choice: Choice, stream_format: StreamFormat) -> _Showing:
        video, audio = stream_format.video, stream_format.audio
        convert = not self._ability.plays(video.codec_string)
        way = choose_audio(self._ability, audio.codec_string if audio else None)
        transcoder: GopTranscoder | None = None
        shown = stream_format
        if convert:
            transcoder = GopTranscoder(stream_format, self._workshop)
            shown = await transcoder.shown()
        packager = Packager(shown, way)
        name = f"{choice.stream.name.lower()} stream"
        reason = choice.reason
        if convert:
            reason = f"{video.codec.upper()} is converted to H.264 for this browser, a few seconds late."
        await socket.send_json(
            {
                "kind": "start",
                "stream": choice.stream.name.lower(),
                "mime": mime(shown, way),
                "width": shown.video.width,
                "height": shown.video.height,
                "choice": name + (", converted" if convert else ""),
                "reason": reason,
            }
        )
        await socket.send_bytes(_STAMP.pack(0) + packager.init)
        return _Showing(packager, transcoder)

    async def _send(self, socket: Socket, showing: _Showing, units: Sequence[AccessUnit]) -> None:
        if showing.transcoder is not None:
            units = await showing.transcoder.convert(units)
        data = showing.packager.pack(units)
        if data:
            newest = max(unit.arrival_ms for unit in units)
            await socket.send_bytes(_STAMP.pack(newest) + data)


def mime(stream_format: StreamFormat, way: AudioWay) -> str:
    """The MIME type for a SourceBuffer, e.g. ``video/mp4; codecs="avc1.640028,mp4a.40.2"``."""
    codecs = [stream_format.video.codec_string]
    if stream_format.audio is not None and way != "none":
        codecs.append("flac" if way == "flac" else stream_format.audio.codec_string)
    return f'video/mp4; codecs="{",".join(codecs)}"'


async def _format_of(listener: Listener, seconds: float) -> StreamFormat | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                for item in await listener.take(seconds):
                    if isinstance(item, StreamFormat):
                        return item
    return None


def _by_format(
    items: Sequence[StreamFormat | AccessUnit],
) -> list[tuple[StreamFormat | None, list[AccessUnit]]]:
    """Units in groups of one format; the first group may belong to the format before."""
    groups: list[tuple[StreamFormat | None, list[AccessUnit]]] = [(None, [])]
    for item in items:
        if isinstance(item, StreamFormat):
            groups.append((item, []))
        else:
            groups[-1][1].append(item)
    return groups


def _reason(
    role: StreamRole, wanted: StreamRole, unplayable: Sequence[str], silent: Sequence[StreamRole]
) -> str:
    if unplayable:
        return f"This browser does not play {unplayable[0]}, so another stream or a conversion is shown."
    if role is not wanted and wanted in silent:
        return f"The {wanted.name.lower()} stream sends nothing, so the other is shown."
    if role is not wanted:
        return f"This camera has no {wanted.name.lower()} stream."
    return ""
