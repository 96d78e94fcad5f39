"""One pull from the recorder per watched stream, shared by everybody who watches it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

import structlog

from beholden.bus.messages import BusError, JsonMessage, Message, UnitMessage, parse_format, stream_of
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track

log = structlog.get_logger()

VIEWER_BYTES = 8 * 1024 * 1024
_GOP_BYTES = 8 * 1024 * 1024
_RETRY_SECONDS = 0.5

StreamId = tuple[int, StreamRole]


class RecorderBus(Protocol):
    """What the hub needs of ``bus.local.AsyncBusClient``; ``bus.fake.FakeAsyncBus`` is its fake."""

    async def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """Ask for a stream."""
        ...

    async def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """No more of it."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Message: ...

    async def close(self) -> None:
        """Disconnect."""
        ...


Connect = Callable[[int], Awaitable[RecorderBus]]
"""Connects to the recorder shard of that number; BusError when it is not there."""


class Listener:
    """One viewer's queue, bounded in bytes: who does not read loses whole GOPs, nobody else does."""

    def __init__(self, stream: StreamId, fast: bool, limit_bytes: int = VIEWER_BYTES) -> None:
        self.stream = stream
        self.fast = fast
        self.dropped = 0
        self._limit = limit_bytes
        self._items: deque[StreamFormat | AccessUnit] = deque()
        self._bytes = 0
        self._needs_key = True
        self._ready = asyncio.Event()

    def put(self, item: StreamFormat | AccessUnit) -> None:
        """A format, or a unit; units before the first keyframe are left out."""
        if isinstance(item, StreamFormat):
            self._clear()
            self._items.append(item)
        elif not self._take(item):
            return
        self._ready.set()

    async def take(self, seconds: float) -> list[StreamFormat | AccessUnit]:
        """All there is, waiting for the first up to that long; empty when nothing came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        taken = list(self._items)
        self._items.clear()
        self._bytes = 0
        self._ready.clear()
        return taken

    def _take(self, unit: AccessUnit) -> bool:
        key = unit.key and unit.track is Track.VIDEO
        if self._needs_key and not key:
            self.dropped += unit.track is Track.VIDEO
            return False
        self._needs_key = False
        if self._bytes + unit.size > self._limit:
            self._drop()
            return False
        self._items.append(unit)
        self._bytes += unit.size
        return True

    def _drop(self) -> None:
        kept = [item for item in self._items if isinstance(item, StreamFormat)]
        self.dropped += len(self._items) - len(kept)
        self._clear()
        self._items.extend(kept)

    def _clear(self) -> None:
        self._items.clear()
        self._bytes = 0
        self._needs_key = True


class _Stream:
    """What is known of one watched stream, and who watches it."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.format: StreamFormat | None = None
        self.gop: list[AccessUnit] = []
        self._bytes = 0

    @property
    def fast(self) -> bool:
        """Whether anybody watches it closely."""
        return any(listener.fast for listener in self.listeners)

    def set_format(self, stream_format: StreamFormat) -> None:
        self.format = stream_format
        self.forget()
        for listener in self.listeners:
            listener.put(stream_format)

    def add(self, unit: AccessUnit) -> None:
        if unit.key and unit.track is Track.VIDEO:
            self.forget()
            self.gop.append(unit)
            self._bytes = unit.size
        elif self.gop:
            self._bytes += unit.size
            self.gop.append(unit)
            if self._bytes > _GOP_BYTES:
                self.forget()
        for listener in self.listeners:
            listener.put(unit)

    def forget(self) -> None:
        """No new viewer is shown what came before now."""
        self.gop = []
        self._bytes = 0

    def join(self, listener: Listener) -> None:
        self.listeners.append(listener)
        if self.format is not None:
            listener.put(self.format)
            for unit in self.gop:
                listener.put(unit)


class Hub:
    """Watched streams by shard. Runs in one event loop; ``close`` ends its tasks."""

    def __init__(self, connect: Connect, shard_of: Callable[[int], Awaitable[int]]) -> None:
        self._connect = connect
        self._shard_of = shard_of
        self._streams: dict[StreamId, _Stream] = {}
        self._shards: dict[int, _Shard] = {}
        self._places: dict[StreamId, int] = {}

    async def join(self, camera: int, stream: StreamRole, *, fast: bool) -> Listener:
        """Watch a stream. The listener first gets its format, then units from the newest keyframe on."""
        key = (camera, stream)
        number = await self._shard_of(camera)
        watched = self._streams.setdefault(key, _Stream())
        was_fast = watched.fast
        listener = Listener(key, fast)
        first = not watched.listeners
        watched.join(listener)
        self._places[key] = number
        shard = self._shards.get(number)
        if shard is None:
            shard = self._shards[number] = _Shard(number, self._connect, self._of_shard)
        elif first or watched.fast != was_fast:
            await shard.ask(key, watched.fast)
        return listener

    async def leave(self, listener: Listener) -> None:
        """Stop watching; the last one to leave ends the pull from the recorder."""
        watched = self._streams.get(listener.stream)
        if watched is None or listener not in watched.listeners:
            return
        watched.listeners.remove(listener)
        shard = self._shards.get(self._places[listener.stream])
        if watched.listeners:
            if listener.fast and not watched.fast and shard is not None:
                await shard.ask(listener.stream, False)
            return
        del self._streams[listener.stream]
        if shard is not None:
            await shard.forget(listener.stream)

    async def close(self) -> None:
        """End every connection."""
        for shard in self._shards.values():
            await shard.close()
        self._shards.clear()

    def _of_shard(self, number: int) -> dict[StreamId, _Stream]:
        return {key: self._streams[key] for key in self._streams if self._places[key] == number}


class _Shard:
    """One connection to one recorder, made again whenever it breaks."""

    def __init__(
        self, number: int, connect: Connect, streams: Callable[[int], dict[StreamId, _Stream]]
    ) -> None:
        self._number = number
        self._connect = connect
        self._streams = streams
        self._bus: RecorderBus | None = None
        self._task = asyncio.create_task(self._run(), name=f"live shard {number}")

    async def ask(self, key: StreamId, fast: bool) -> None:
        """Subscribe, or change how closely it is watched."""
        if self._bus is not None:
            with contextlib.suppress(BusError):  # the reading side sees it too and connects again
                await self._bus.subscribe(*key, fast=fast)

    async def forget(self, key: StreamId) -> None:
        """Unsubscribe."""
        if self._bus is not None:
            with contextlib.suppress(BusError):
                await self._bus.unsubscribe(*key)

    async def close(self) -> None:
        """End it."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                bus = await self._connect(self._number)
            except BusError:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await self._follow(bus)
            except BusError as error:
                log.info("recorder left", shard=self._number, cause=error.code)
            finally:
                self._bus = None
                await bus.close()
            for stream in self._streams(self._number).values():
                stream.forget()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self, bus: RecorderBus) -> None:
        self._bus = bus
        for key, stream in self._streams(self._number).items():
            await bus.subscribe(*key, fast=stream.fast)
        async for message in bus:
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        streams = self._streams(self._number)
        if isinstance(message, UnitMessage):
            stream = streams.get((message.camera, message.stream))
            if stream is not None:
                stream.add(message.unit)
        elif isinstance(message, JsonMessage) and message.kind == "format":
            stream = streams.get(stream_of(message.body))
            if stream is not None:
                stream.set_format(parse_format(message.body))
