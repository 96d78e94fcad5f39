"""One viewer of one camera: what is sent, when, and what is said when there is nothing to send."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from beholden.access.door import Pass
from beholden.live.choice import Choice, Prefer, choose_stream, sound_for
from beholden.live.feed import Item, Subscription
from beholden.live.fragments import FragmentBuilder
from beholden.live.hub import Hub
from beholden.live.sound import SoundWatch
from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import Clock, to_rfc3339
from beholden.play.ability import Ability

PREFIX_BYTES = 8
WALL_SECONDS = 0.1
STALL_SECONDS = 3.0
_FORMAT_SECONDS = 1.5
_TICK_SECONDS = 1.0

StateOf = Callable[[StreamRole], Mapping[str, Any] | None]
"""What the recorder says of a stream: ``state``, ``reason``, ``next_step``, ``since_ms``; None if unknown."""


class Socket(Protocol):
    """Where messages go. Both wait while the other side does not read."""

    async def send_text(self, data: str) -> None:
        """A text message."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """A binary message."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a viewer asks for, and which streams the camera has."""

    camera: int
    ability: Ability
    prefer: Prefer
    streams: frozenset[StreamRole] = frozenset(StreamRole)


class LiveSession:
    """Serves one viewer until cancelled. A slow reader loses pictures; nobody else does."""

    def __init__(self, hub: Hub, clock: Clock, socket: Socket, wish: Wish, state_of: StateOf) -> None:
        self._hub = hub
        self._clock = clock
        self._socket = socket
        self._wish = wish
        self._state_of = state_of
        self._told: str | None = None
        self._sound = SoundWatch()

    async def run(self, leave: Pass) -> None:
        """Choose a stream and send it; choose again when it changes so that this browser cannot play it.

        BeholdenError ``busy`` when it would need a conversion and too many run.
        """
        leave.require(self._wish.camera, Action.LIVE)
        while True:
            choice = await self._choose()
            if choice is None:
                await self._tell_state(self._order()[0])
                await asyncio.sleep(_TICK_SECONDS)
                continue
            await self._send(choice)

    async def _choose(self) -> Choice | None:
        fast = self._wish.prefer == "main"
        formats: dict[StreamRole, StreamFormat] = {}
        for stream in self._order():
            async with self._hub.watch(self._wish.camera, stream, fast=fast) as watched:
                found = watched.feed.format or await _first_format(watched.queue)
            if found is not None:
                formats[stream] = found
                if self._wish.ability.plays(found.video.codec_string):
                    break
        return choose_stream(formats, self._wish.ability, self._order())

    def _order(self) -> list[StreamRole]:
        """The stream wanted, then the other, as far as the camera has them."""
        both = [StreamRole.MAIN, StreamRole.SUB]
        wanted = both if self._wish.prefer == "main" else both[::-1]
        return [stream for stream in wanted if stream in self._wish.streams]

    async def _send(self, choice: Choice) -> None:
        """Until the stream becomes one that this browser does not play, or is gone for long."""
        fast = self._wish.prefer == "main"
        builder: FragmentBuilder | None = None
        silent_since = self._clock.monotonic()
        async with self._hub.watch(
            self._wish.camera, choice.stream, fast=fast, convert=choice.convert
        ) as watched:
            while True:
                items = await self._take(watched.queue)
                if not any(isinstance(item, AccessUnit) for item in items):
                    if self._clock.monotonic() - silent_since > STALL_SECONDS:
                        await self._tell_stall(choice.stream)
                elif items:
                    silent_since, self._told = self._clock.monotonic(), None
                for change, units in _runs(items):
                    if change is not None:
                        if not self._wish.ability.plays(change.video.codec_string):
                            return
                        self._sound = SoundWatch()
                        builder = await self._start(choice, change)
                    if builder is None or not units:
                        continue
                    await self._send_fragment(builder, units)
                    if self._may_sound(builder.format) and self._sound.changed(units):
                        watched.queue.restart()
                        builder = await self._start(choice, builder.format)

    async def _take(self, queue: Subscription) -> list[Item]:
        """What waits, from a picture on; for a wall not more often than every 100 ms."""
        items = await queue.take(_TICK_SECONDS)
        if self._wish.prefer == "sub" and items:
            await asyncio.sleep(WALL_SECONDS)
            items += queue.take_now()
        while items and not any(
            isinstance(item, StreamFormat) or item.track is Track.VIDEO for item in items
        ):
            more = await queue.take(_TICK_SECONDS)
            if not more:
                return []  # sound without pictures is a stall
            items += more
        return items

    async def _start(self, choice: Choice, stream_format: StreamFormat) -> FragmentBuilder:
        sound = sound_for(self._wish.ability, stream_format) if self._sound.on else "none"
        builder = FragmentBuilder(stream_format, sound)
        message = {
            "kind": "start",
            "stream": choice.stream.name.lower(),
            "mime": builder.mime,
            "width": stream_format.video.width,
            "height": stream_format.video.height,
            "choice": choice.choice,
            "reason": choice.reason,
        }
        await self._socket.send_text(json.dumps(message))
        await self._socket.send_bytes(bytes(PREFIX_BYTES) + builder.init())
        return builder

    async def _send_fragment(self, builder: FragmentBuilder, units: list[AccessUnit]) -> None:
        pictures = [unit for unit in units if unit.track is Track.VIDEO]
        if pictures:
            arrival = max(unit.arrival_ms for unit in pictures)
            await self._socket.send_bytes(arrival.to_bytes(PREFIX_BYTES, "big") + builder.build(units))

    def _may_sound(self, stream_format: StreamFormat) -> bool:
        return stream_format.audio is not None and sound_for(self._wish.ability, stream_format) != "none"

    async def _tell_stall(self, stream: StreamRole) -> None:
        if self._told is None:
            since = to_rfc3339(self._clock.now_ms() - round(STALL_SECONDS * 1000))
            await self._socket.send_text(json.dumps({"kind": "stalled", "since": since}))
            self._told = ""
        await self._tell_state(stream)

    async def _tell_state(self, stream: StreamRole) -> None:
        """What the recorder says of the stream, when that is news."""
        row = self._state_of(stream)
        if row is None or row.get("state") == "live":
            return
        since = row.get("since_ms")
        message = {
            "kind": "state",
            "state": row.get("state"),
            "reason": row.get("reason") or "",
            "next_step": row.get("next_step") or "",
            "since": to_rfc3339(int(since)) if since else None,
        }
        text = json.dumps(message)
        if text != self._told:
            self._told = text
            await self._socket.send_text(text)


async def _first_format(queue: Subscription) -> StreamFormat | None:
    """The format a new subscription tells, or None when it stays silent."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FORMAT_SECONDS):
            while True:
                for item in await queue.take(_FORMAT_SECONDS):
                    if isinstance(item, StreamFormat):
                        return item
    return None


def _runs(items: list[Item]) -> list[tuple[StreamFormat | None, list[AccessUnit]]]:
    """Items cut before every format."""
    runs: list[tuple[StreamFormat | None, list[AccessUnit]]] = [(None, [])]
    for item in items:
        if isinstance(item, StreamFormat):
            runs.append((item, []))
        else:
            runs[-1][1].append(item)
    return runs
