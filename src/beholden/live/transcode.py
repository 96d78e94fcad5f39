"""Live video for browsers that cannot decode it: converted to H.264 in a process of its own.

The process (``python -m beholden.live.transcoder``) gets coded pictures on its standard input and gives H.264
on its standard output. When it cannot keep up, the queue before it loses whole GOPs, as for any slow viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from typing import TYPE_CHECKING

import structlog

from beholden.live.feed import Feed
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.model.time import TICKS_PER_SECOND
from beholden.record import fmp4

if TYPE_CHECKING:
    from beholden.live.hub import Hub

log = structlog.get_logger()

HEADER = struct.Struct(">IBBQQ")
"""Length of what follows, kind (0 init segment, 1 picture), key, time in ticks, arrival in ms."""
INIT, PICTURE = 0, 1
_LARGEST = 16 * 1024 * 1024
_RETRY_SECONDS = 2.0
_SOUND_KEPT = 1000
_AHEAD_TICKS = TICKS_PER_SECOND // 5  # sound may run ahead of the pictures by this


class TranscodedFeed(Feed):
    """A stream as H.264, at most 720 high, with its own sound."""

    def __init__(self, hub: Hub, camera: int, stream: StreamRole, *, fast: bool) -> None:
        super().__init__(camera, stream)
        self._hub = hub
        self._fast = fast
        self._source: StreamFormat | None = None
        self._sound: deque[AccessUnit] = deque(maxlen=_SOUND_KEPT)

    async def _pull(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "beholden.live.transcoder", stdin=PIPE, stdout=PIPE, limit=_LARGEST
            )
            try:
                async with asyncio.TaskGroup() as group:
                    write = group.create_task(self._write(process))
                    group.create_task(self._read(process, write))
            except* (OSError, asyncio.IncompleteReadError):
                log.warning("live conversion broke", camera=self.camera, stream=self.stream.name)
            finally:
                await _end(process)
            self._on_loss()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _write(self, process: Process) -> None:
        assert process.stdin is not None
        async with self._hub.watch(self.camera, self.stream, fast=self._fast) as watched:
            while True:
                for item in await watched.queue.take(60.0):
                    if isinstance(item, StreamFormat):
                        self._source = item
                        self._sound.clear()
                        init = fmp4.build_init(StreamFormat(item.video))
                        process.stdin.write(HEADER.pack(len(init), INIT, 0, 0, 0) + init)
                    elif item.track is Track.AUDIO:
                        self._sound.append(item)
                    else:
                        head = HEADER.pack(item.size, PICTURE, item.key, item.pts, item.arrival_ms)
                        process.stdin.write(head + item.data())
                        await process.stdin.drain()

    async def _read(self, process: Process, write: asyncio.Task[None]) -> None:
        assert process.stdout is not None
        try:
            while True:
                head = await process.stdout.readexactly(HEADER.size)
                size, kind, key, time, arrival_ms = HEADER.unpack(head)
                body = await process.stdout.readexactly(size)
                if kind == INIT:
                    self._on_converted(fmp4.parse_init(body).video)
                else:
                    self._on_unit(AccessUnit(Track.VIDEO, time, bool(key), (body,), size, arrival_ms))
                    self._sound_until(time)
        finally:
            write.cancel()

    def _sound_until(self, time: int) -> None:
        """Sound waits for the pictures it belongs to."""
        audio = self._source.audio if self._source is not None else None
        while audio is not None and self._sound:
            if self._sound[0].pts * TICKS_PER_SECOND > (time + _AHEAD_TICKS) * audio.rate:
                return
            self._on_unit(self._sound.popleft())

    def _on_converted(self, video: VideoFormat) -> None:
        audio = self._source.audio if self._source is not None else None
        self._on_format(StreamFormat(video, audio))


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
