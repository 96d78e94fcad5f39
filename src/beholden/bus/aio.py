"""The asking side of the bus, for asyncio. Its calls take ``timeout`` as those of ``BusClient`` do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from beholden.bus.client import closed, raise_if_error, unreachable
from beholden.bus.messages import (
    HEADER_BYTES,
    BusError,
    JsonMessage,
    Message,
    decode_frame,
    encode_json,
    read_length,
)
from beholden.model.camera import StreamRole

# A reader that falls behind by this many messages stops reading, and the server drops whole GOPs for it.
_QUEUE_MESSAGES = 64
_STREAM_LIMIT = 1024 * 1024


class AsyncBusClient:
    """One connection. ``async for message in client`` yields news and units and ends with BusError when the
    other side is gone; ``await client.request(...)`` may run beside it in another task."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._queue: asyncio.Queue[Message | BusError] = asyncio.Queue(_QUEUE_MESSAGES)
        self._asked: dict[str, list[asyncio.Future[dict[str, Any]]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._ended: BusError | None = None

    async def connect(self, timeout: float = 5.0) -> Self:  # noqa: ASYNC109
        """BusError ``bus_unreachable`` when nobody serves the socket."""
        try:
            async with asyncio.timeout(timeout):
                self._reader, self._writer = await asyncio.open_unix_connection(
                    str(self.path), limit=_STREAM_LIMIT
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self.path) from error
        self._task = asyncio.create_task(self._read(self._reader), name=f"bus {self.path.stem}")
        return self

    async def request(
        self,
        body: Mapping[str, Any],
        timeout: float = 5.0,  # noqa: ASYNC109
    ) -> dict[str, Any]:
        """Ask and wait for the answer whose ``kind`` is the request's ``op``; BusError as BusClient."""
        op = str(body.get("op"))
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(op, []).append(future)
        try:
            await self.send(body)
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise BusError(
                "bus_timeout", f"No answer came from {self.path.stem} within {timeout:g} s."
            ) from error
        finally:
            with contextlib.suppress(ValueError):
                self._asked[op].remove(future)

    async def send(self, body: Mapping[str, Any]) -> None:
        """Ask without waiting for an answer."""
        if self._writer is None or self._ended is not None:
            raise self._ended or closed(self.path)
        try:
            self._writer.write(encode_json(body))
            await self._writer.drain()
        except OSError as error:
            raise closed(self.path) from error

    async def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """From now on iteration yields this stream too: its format, then units from a keyframe on."""
        await self.send({"op": "subscribe", "camera": camera, "stream": stream.name.lower(), "fast": fast})

    async def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """Stop that; units already on their way may still come."""
        await self.send({"op": "unsubscribe", "camera": camera, "stream": stream.name.lower()})

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        if self._ended is not None and self._queue.empty():
            raise self._ended
        item = await self._queue.get()
        if isinstance(item, BusError):
            raise item
        return item

    async def close(self) -> None:
        """Disconnect; iteration elsewhere ends with BusError ``bus_closed``."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._end(closed(self.path))

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                length, kind = read_length(await reader.readexactly(HEADER_BYTES))
                message = decode_frame(kind, await reader.readexactly(length))
                if not self._settle(message):
                    await self._queue.put(message)
        except (OSError, asyncio.IncompleteReadError):
            self._end(closed(self.path))
        except BusError as error:
            self._end(error)

    def _settle(self, message: Message) -> bool:
        """Give an answer to who asked for it; False when nobody did."""
        if not isinstance(message, JsonMessage):
            return False
        op = message.kind if message.kind != "error" else str(message.body.get("op"))
        asked = self._asked.get(op)
        if not asked:
            return False
        future = asked.pop(0)
        try:
            raise_if_error(message.body, op)
        except BusError as error:
            future.set_exception(error)
        else:
            future.set_result(message.body)
        return True

    def _end(self, error: BusError) -> None:
        if self._ended is not None:
            return
        self._ended = error
        for asked in self._asked.values():
            while asked:
                asked.pop(0).set_exception(error)
        # Wake one who waits for a message. When the queue is full nobody waits, and `_ended` tells later.
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(error)
