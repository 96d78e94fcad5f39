"""One stream's access units as they arrive, shared by all who watch it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import structlog

from beholden.bus.messages import JsonMessage, Message, UnitMessage, parse_format
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import AccessUnit, StreamFormat, Track

log = structlog.get_logger()

# A viewer may fall this far behind before it loses what waits for it, up to the next keyframe.
BEHIND_BYTES = 6 * 1024 * 1024
# A GOP above this is not kept for newcomers; they wait for the next keyframe.
_GOP_BYTES = 32 * 1024 * 1024
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)

Item = AccessUnit | StreamFormat


class RecorderBus(Protocol):
    """What a feed needs of the bus: ``bus.aio.AsyncBusClient``, or ``bus.fake.FakeAsyncBus``."""

    async def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """Ask for a stream."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]:
        """What comes."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


Connect = Callable[[int], Awaitable[RecorderBus]]
"""Connects to the recorder shard of that number; BusError when it is not there."""
ShardOf = Callable[[int], Awaitable[int]]
"""The recorder shard of a camera; BeholdenError when there is no such camera."""


class Subscription:
    """One viewer's queue: a format, then units from a keyframe on. Bounded: who does not read loses whole
    GOPs and goes on at a keyframe, and nobody else notices."""

    def __init__(self, behind_bytes: int = BEHIND_BYTES) -> None:
        self.dropped = 0
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._limit = behind_bytes
        self._waits_for_key = True
        self._ready = asyncio.Event()

    def begin(self, stream_format: StreamFormat, gop: list[AccessUnit]) -> None:
        """Start with what is known: the format and the GOP so far, which is never too much."""
        self.put_format(stream_format)
        room = self._limit
        self._limit = max(room, sum(unit.size for unit in gop) + 1)
        for unit in gop:
            self.put(unit)
        self._limit = max(room, self._limit)

    def put_format(self, stream_format: StreamFormat) -> None:
        """From here on units are of this format."""
        self._items.append(stream_format)
        self._waits_for_key = True
        self._ready.set()

    def put(self, unit: AccessUnit) -> None:
        """One unit; may drop all that waits."""
        starts = unit.key and unit.track is Track.VIDEO
        if self._waits_for_key and not starts:
            self.dropped += unit.track is Track.VIDEO
            return
        if self._bytes + unit.size > self._limit and self._items:
            self._drop()
            if not starts:
                self.dropped += unit.track is Track.VIDEO
                return
        self._waits_for_key = False
        self._items.append(unit)
        self._bytes += unit.size
        self._ready.set()

    def restart(self) -> None:
        """Forget what waits; go on at the next keyframe."""
        self._drop()

    async def take(self, seconds: float) -> list[Item]:
        """All that waits, as soon as something does; empty after ``seconds``."""
        if not self._items:
            self._ready.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ready.wait()
        return self.take_now()

    def take_now(self) -> list[Item]:
        """All that waits."""
        taken = list(self._items)
        self._items.clear()
        self._bytes = 0
        return taken

    def _drop(self) -> None:
        formats = [item for item in self._items if isinstance(item, StreamFormat)]
        self.dropped += sum(
            isinstance(item, AccessUnit) and item.track is Track.VIDEO for item in self._items
        )
        self._items = deque(formats[-1:])
        self._bytes = 0
        self._waits_for_key = True


class Feed:
    """Fans units out. Subclasses say where they come from (``_pull``)."""

    def __init__(self, camera: int, stream: StreamRole) -> None:
        self.camera = camera
        self.stream = stream
        self.format: StreamFormat | None = None
        self.subscriptions: set[Subscription] = set()
        self._gop: list[AccessUnit] = []
        self._gop_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def add(self) -> Subscription:
        """A viewer comes; the first one starts the feed."""
        subscription = Subscription()
        if self.format is not None:
            subscription.begin(self.format, self._gop)
        self.subscriptions.add(subscription)
        if self._task is None:
            self._task = asyncio.create_task(self._pull(), name=f"live {self.camera}/{self.stream.name}")
        return subscription

    async def stop(self) -> None:
        """The last viewer has gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _pull(self) -> None:
        raise NotImplementedError

    def _on_format(self, stream_format: StreamFormat) -> None:
        if stream_format == self.format:
            return
        self.format = stream_format
        self._forget_gop()
        for subscription in self.subscriptions:
            subscription.put_format(stream_format)

    def _on_unit(self, unit: AccessUnit) -> None:
        if unit.key and unit.track is Track.VIDEO:
            self._forget_gop()
            self._gop = [unit]
            self._gop_bytes = unit.size
        elif self._gop:
            self._gop.append(unit)
            self._gop_bytes += unit.size
            if self._gop_bytes > _GOP_BYTES:
                self._forget_gop()
        for subscription in self.subscriptions:
            subscription.put(unit)

    def _on_loss(self) -> None:
        """Units are missing: nobody can decode before the next keyframe."""
        self._forget_gop()
        for subscription in self.subscriptions:
            subscription.restart()

    def _forget_gop(self) -> None:
        self._gop = []
        self._gop_bytes = 0


class BusFeed(Feed):
    """A stream as the recorder relays it, over one connection of its own, connected again when it breaks."""

    def __init__(
        self, camera: int, stream: StreamRole, connect: Connect, shard_of: ShardOf, *, fast: bool
    ) -> None:
        super().__init__(camera, stream)
        self._connect = connect
        self._shard_of = shard_of
        self._fast = fast

    async def _pull(self) -> None:
        failures = 0
        while True:
            try:
                bus = await self._connect(await self._shard_of(self.camera))
                try:
                    await bus.subscribe(self.camera, self.stream, fast=self._fast)
                    async for message in bus:
                        failures = 0
                        self._on_message(message)
                finally:
                    await bus.close()
            except BeholdenError as error:
                log.info("live feed broke", camera=self.camera, stream=self.stream.name, cause=error.code)
                self._on_loss()
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    def _on_message(self, message: Message) -> None:
        if isinstance(message, UnitMessage):
            if (message.camera, message.stream) == (self.camera, self.stream):
                self._on_unit(message.unit)
        elif isinstance(message, JsonMessage) and message.kind == "format":
            self._on_format(parse_format(message.body))
        elif isinstance(message, JsonMessage) and message.kind == "dropped":
            self._on_loss()
